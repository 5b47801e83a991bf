"""Packs a libattn.so that is there: `ATTN_LIBRARY=/path/libattn.so pip install .` compiles nothing.

One wheel is for every Python 3, since the package has no extension module, and for every Linux whose glibc has what
the library needs.
"""

import os
import platform
import re
import shutil

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py
from setuptools.errors import SetupError

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # before setuptools 70.1, as in Debian 12
    from wheel.bdist_wheel import bdist_wheel


def library():
    """The path of what is packed."""
    path = os.environ.get("ATTN_LIBRARY")
    if path and os.path.isfile(path):
        return path
    raise SetupError(
        f"expects ATTN_LIBRARY to name a libattn.so, got {path or 'none'}. ./dev build attn makes "
        "build/lib/CAPI/libattn.so; then: ATTN_LIBRARY=$PWD/build/lib/CAPI/libattn.so pip install ."
    )


def version():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "CMakeLists.txt")) as file:
        return re.search(r"project\(attn VERSION ([\d.]+)", file.read())[1]


class OfOneMachine(Distribution):
    def has_ext_modules(self):
        return True


class PackLibrary(build_py):
    def run(self):
        super().run()
        if not self.editable_mode:
            shutil.copyfile(library(), os.path.join(self.build_lib, "attn", "libattn.so"))

    def get_outputs(self, include_bytecode=True):
        packed = [] if self.editable_mode else [os.path.join(self.build_lib, "attn", "libattn.so")]
        return super().get_outputs(include_bytecode) + packed


class WheelOfLibrary(bdist_wheel):
    def get_tag(self):
        if "ATTN_LIBRARY" not in os.environ:  # an editable installation
            return "py3", "none", f"linux_{platform.machine()}"
        with open(library(), "rb") as file:
            needed = {tuple(map(int, x.split(b"."))) for x in re.findall(rb"\0GLIBC_(2\.\d+)\b", file.read())}
        if not needed:
            raise SetupError(f"expects a shared library that needs glibc, got {library()}")
        major, minor = max(needed)
        return "py3", "none", f"manylinux_{major}_{minor}_{platform.machine()}"


setup(
    version=version(),
    distclass=OfOneMachine,
    cmdclass={"build_py": PackLibrary, "bdist_wheel": WheelOfLibrary},
    # build/ is CMake's.
    options={"build": {"build_base": "build-wheel"}},
)
