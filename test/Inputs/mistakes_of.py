"""mistakes_of.py FILE COMMAND...: whether a compiler refuses the lines of FILE that say `mistake`, and no others."""
import re
import subprocess
import sys

path, command = sys.argv[1], sys.argv[2:]
with open(path) as file:
    marked = {number for number, line in enumerate(file, 1) if re.search(r"\S\s+// mistake", line)}
version = subprocess.run([command[0], "--version"], capture_output=True, text=True).stdout
if "clang" in version:
    command.append("-ferror-limit=0")
run = subprocess.run([*command, path], capture_output=True, text=True)
# An error inside of a header is one of the line that asked for it, which a note says.
refused = {int(line) for line in re.findall(rf"^{re.escape(path)}:(\d+):\d+: error:", run.stderr, re.M)}
elsewhere = [line for line in run.stderr.split("\n") if ": error:" in line and not line.startswith(path)]
for line in sorted(marked - refused):
    print(f"{path}:{line}: compiles")
for line in sorted(refused - marked):
    print(f"{path}:{line}: does not compile")
print("\n".join(elsewhere))
if not marked or marked != refused or elsewhere:
    print(run.stderr)
    sys.exit(1)
print(f"{len(marked)} mistakes do not compile")
