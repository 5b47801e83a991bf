"""What `pip wheel` packs, and for which machines; a small library stands for libattn.so.

RUN: %python %s %source %t
REQUIRES: wheel
"""

import glob
import os
import platform
import shutil
import subprocess
import sys
import unittest
import zipfile

SOURCE, SCRATCH = sys.argv[1:3]
TREE = os.path.join(SCRATCH + ".dir", "tree")


def build(*command, **environment):
    """(exit status, output) of a command of setup.py."""
    environment = {**{k: v for k, v in os.environ.items() if k != "ATTN_LIBRARY"}, **environment}
    command = [sys.executable, "setup.py", "-q", *command]
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    run = subprocess.run(command, cwd=TREE, env=environment, **both)
    return run.returncode, run.stdout


class Wheel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shutil.rmtree(SCRATCH + ".dir", ignore_errors=True)
        os.makedirs(os.path.join(TREE, "docs"))
        for name in ("setup.py", "pyproject.toml", "CMakeLists.txt", os.path.join("docs", "Python.md")):
            shutil.copyfile(os.path.join(SOURCE, name), os.path.join(TREE, name))
        no_code = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(os.path.join(SOURCE, "python"), os.path.join(TREE, "python"), ignore=no_code)

    def test_a_library_is_packed(self):
        library = os.path.join(TREE, "other.so")
        with open(library + ".c", "w") as file:
            file.write("#include <stdio.h>\nint greet(void) { return puts(__DATE__); }\n")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, library + ".c"], check=True)
        status, output = build("bdist_wheel", ATTN_LIBRARY=library)
        self.assertEqual(status, 0, output)
        (wheel,) = glob.glob(os.path.join(TREE, "dist", "*.whl"))
        self.assertRegex(wheel, rf"/attn-\d+\.\d+\.\d+-py3-none-manylinux_2_\d+_{platform.machine()}\.whl$")
        packages = os.path.join(SOURCE, "python")
        found = glob.glob(os.path.join(packages, "attn", "**", "*.py"), recursive=True)
        modules = {os.path.relpath(x, packages) for x in found}
        with zipfile.ZipFile(wheel) as packed, open(library, "rb") as file:
            names = {name for name in packed.namelist() if ".dist-info/" not in name}
            self.assertEqual(names, modules | {"attn/libattn.so"})
            self.assertEqual(packed.read("attn/libattn.so"), file.read())

    def test_what_is_no_library(self):
        status, output = build("bdist_wheel")
        self.assertEqual(status, 1)
        self.assertIn("error: expects ATTN_LIBRARY to name a libattn.so, got none. ./dev build attn makes", output)
        text = os.path.join(TREE, "setup.py")
        expected = f"error: expects a shared library that needs glibc, got {text}"
        self.assertIn(expected, build("bdist_wheel", ATTN_LIBRARY=text)[1])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
