"""cpp_blocks.py DOCUMENT...: prints the C++ blocks of documents as one program.

A block that includes something stands as it is; what others say is said in a function.
"""
import re
import sys

count = 0
print("#include <attn/attn.hpp>\nusing namespace attn;")
for path in sys.argv[1:]:
    with open(path) as file:
        for block in re.findall(r"^```cpp\n(.*?)^```", file.read(), re.M | re.S):
            whole = "#include" in block
            print(block if whole else f"void block{count}() {{\n{block}}}")
            count += 1
if not count:
    sys.exit("expects blocks of C++")
