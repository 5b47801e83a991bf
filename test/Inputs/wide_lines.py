"""Prints the lines of a source tree's documents that have more than 120 columns, but for tables and for pages that
TableGen writes (docs/reference); status 1 if any has.

usage: wide_lines.py SOURCE_DIRECTORY
"""

import glob
import os
import sys

os.chdir(sys.argv[1])
wide = False
for path in sorted(glob.glob("*.md") + glob.glob("bench/*.md") + glob.glob("docs/**/*.md", recursive=True)):
    if path.startswith("docs/reference/"):
        continue
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            columns = len(line.rstrip("\n"))
            if columns > 120 and not line.startswith("|"):
                print(f"{path}:{number}: {columns} columns")
                wide = True
sys.exit(wide)
