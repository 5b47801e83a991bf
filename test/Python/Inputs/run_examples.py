"""Runs examples one after another in one process, since torch takes seconds to load: FILE[,ARGUMENT]..."""

import runpy
import sys

for command in sys.argv[1:]:
    sys.argv = command.split(",")
    runpy.run_path(sys.argv[0], run_name="__main__")
