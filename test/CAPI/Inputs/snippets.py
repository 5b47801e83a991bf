"""Prints a source of all code blocks of LANGUAGE in FILE that are of the interface of
libattn.so: snippets.py FILE c|cpp. Each becomes a function, which is given what it
does not say."""
import re
import sys

PARAMETERS = {
    "c": "void",
    "cpp": "attn::KernelSpec spec, attn::TensorView query, attn::TensorView key, attn::TensorView value,"
    " attn::TensorView out",
}
HEADERS = {
    "c": "#include <attn/attn.h>\n#include <stdio.h>\n",
    "cpp": "#include <attn/attn.hpp>\n#include <cstdio>\nint fail(const std::string &);\n",
}

path, language = sys.argv[1:]
with open(path) as file:
    blocks = re.findall(rf"^```{language}\n(.*?)^```", file.read(), re.M | re.S)
blocks = [block for block in blocks if "attn" in block]
if not blocks:
    sys.exit(f"{path} has no code of {language}")
print(HEADERS[language])
for number, block in enumerate(blocks):
    body = "\n".join(line for line in block.splitlines() if not line.startswith("#"))
    print(f"int snippet{number}({PARAMETERS[language]}) {{ {{\n{body}\n}} return 0; }}")
