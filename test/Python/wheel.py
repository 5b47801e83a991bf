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
    environment = {**{k: v for k, v in os.environ.items() if not k.startswith("ATTN_")}, **environment}
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
        for name in ("configs", os.path.join("bench", "worker")):
            shutil.copytree(os.path.join(SOURCE, name), os.path.join(TREE, name))
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

    def test_tools_are_console_scripts(self):
        """Where there are static ones; stand-ins say what they were called with."""
        folder, library = (os.path.join(TREE, name) for name in ("tools", "small.so"))
        os.makedirs(folder)
        text = '#include <stdio.h>\nint main(int n, char **x) { return n == 3 ? puts(x[2]) < 0 : 7; }\n'
        with open(library + ".c", "w") as file:
            file.write(text)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, library + ".c"], check=True)
        for name in ("attn-opt", "attn-compile"):
            subprocess.run(["cc", "-o", os.path.join(folder, name), library + ".c"], check=True)
        both = {"ATTN_LIBRARY": library, "ATTN_TOOLS": folder}
        status, output = build("bdist_wheel", **both)
        self.assertIn(f"error: expects ATTN_TOOLS to name a folder with attn-bench, got {folder}", output)
        with open(os.path.join(folder, "attn-bench"), "wb") as file:
            file.write(b"\0libMLIR.so.22.1\0")
        self.assertIn("got attn-bench that needs libMLIR.so.22.1", build("bdist_wheel", **both)[1])
        shutil.copy(os.path.join(folder, "attn-opt"), os.path.join(folder, "attn-bench"))
        status, output = build("bdist_wheel", "--dist-dir", "with-tools", **both)
        self.assertEqual(status, 0, output)
        (wheel,) = glob.glob(os.path.join(TREE, "with-tools", "*.whl"))
        installed = os.path.join(TREE, "installed")
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(installed)
            (scripts,) = (packed.read(n).decode() for n in packed.namelist() if n.endswith("/entry_points.txt"))
            tools = [n for n in packed.namelist() if n.startswith("attn/tools/")]
            modes = {n: packed.getinfo(n).external_attr >> 16 & 0o111 for n in tools}
        self.assertTrue({"attn/tools/configs/config_cpu.yaml", "attn/tools/worker/__main__.py"} < set(tools))
        for name in ("opt", "compile", "bench"):
            self.assertIn(f"attn-{name} = attn._tools:{name}", scripts)
            path = f"attn/tools/bin/attn-{name}"
            self.assertEqual(modes[path], 0o111)
            os.chmod(os.path.join(installed, path), 0o755)
            call = f"import sys; from attn._tools import {name}; sys.exit({name}())"
            run = [sys.executable, "-c", call, "--x=1", f"of {name}"]
            environment = {**os.environ, "PYTHONPATH": installed}
            got = subprocess.run(run, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            self.assertEqual(got.stdout, f"of {name}\n")
        os.remove(os.path.join(installed, path))
        got = subprocess.run(run, env=environment, stderr=subprocess.PIPE, text=True)
        self.assertEqual(got.returncode, 1)
        self.assertIn("error: expects attn-bench in ", got.stderr)

    def test_what_is_no_library(self):
        status, output = build("bdist_wheel")
        self.assertEqual(status, 1)
        self.assertIn("error: expects ATTN_LIBRARY to name a libattn.so, got none. ./dev build attn makes", output)
        text = os.path.join(TREE, "setup.py")
        expected = f"error: expects a shared library that needs glibc, got {text}"
        self.assertIn(expected, build("bdist_wheel", ATTN_LIBRARY=text)[1])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
