"""Packs a libattn.so that is there: `ATTN_LIBRARY=/path/libattn.so pip install .` compiles nothing. ATTN_TOOLS names a
folder of static tools (./dev build attn-static: build/static), which are packed as console scripts.

One wheel is for every Python 3, since the package has no extension module, and for every Linux whose glibc has what
the library needs.
"""

import glob
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


HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS = ("opt", "compile", "bench")
SCRIPTS = [f"attn-{name} = attn._tools:{name}" for name in TOOLS]
# What package indexes take.
MOST_BYTES = 100 * 10**6


def library():
    """The path of what is packed."""
    path = os.environ.get("ATTN_LIBRARY")
    if path and os.path.isfile(path):
        return path
    raise SetupError(
        f"expects ATTN_LIBRARY to name a libattn.so, got {path or 'none'}. ./dev build attn makes "
        "build/lib/CAPI/libattn.so; then: ATTN_LIBRARY=$PWD/build/lib/CAPI/libattn.so pip install ."
    )


def tools():
    """The paths of the tools that are packed: none without ATTN_TOOLS."""
    folder = os.environ.get("ATTN_TOOLS")
    if not folder:
        return []
    paths = [os.path.join(folder, f"attn-{name}") for name in TOOLS]
    for path in paths:
        if not os.path.isfile(path):
            raise SetupError(f"expects ATTN_TOOLS to name a folder with {os.path.basename(path)}, got {folder}")
        with open(path, "rb") as file:
            foreign = re.search(rb"\0(lib(?:MLIR|LLVM)[-.\w]*\.so[.\w]*)\0", file.read())
        if foreign:
            needs = f"{os.path.basename(path)} that needs {foreign[1].decode()}"
            raise SetupError(f"expects static tools, as in build/static of ./dev build attn-static, got {needs}")
    return paths


def version():
    with open(os.path.join(HERE, "CMakeLists.txt")) as file:
        return re.search(r"project\(attn VERSION ([\d.]+)", file.read())[1]


class OfOneMachine(Distribution):
    def has_ext_modules(self):
        return True


class PackLibrary(build_py):
    def run(self):
        super().run()
        if not self.editable_mode:
            for source, target in self._packed().items():
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copyfile(source, target)
                os.chmod(target, 0o755 if "/bin/" in target else 0o644)

    def _packed(self):
        """By path: the library, tools, and the configurations and workers that attn-bench finds beside its folder."""
        package = os.path.join(self.build_lib, "attn")
        packed = {library(): os.path.join(package, "libattn.so")}
        packed.update({x: os.path.join(package, "tools", "bin", os.path.basename(x)) for x in tools()})
        for folder, pattern in (("configs", "**/*.*"), ("bench/worker", "**/*.py")) if tools() else ():
            root = os.path.join(HERE, folder)
            for path in glob.glob(os.path.join(root, pattern), recursive=True):
                inside = os.path.join(os.path.basename(folder), os.path.relpath(path, root))
                packed[path] = os.path.join(package, "tools", inside)
        return packed

    def get_outputs(self, include_bytecode=True):
        packed = [] if self.editable_mode else list(self._packed().values())
        return super().get_outputs(include_bytecode) + packed


def glibc_of(path):
    """The versions of glibc whose symbols a file needs."""
    with open(path, "rb") as file:
        return {tuple(map(int, x.split(b"."))) for x in re.findall(rb"\0GLIBC_(2\.\d+)\b", file.read())}


class WheelOfLibrary(bdist_wheel):
    def run(self):
        super().run()
        for _, _, wheel in getattr(self.distribution, "dist_files", ()):
            size = os.path.getsize(wheel) if wheel.endswith(".whl") else 0
            if size > MOST_BYTES:
                raise SetupError(f"expects a wheel of at most {MOST_BYTES} bytes, got {size}: {wheel}")

    def get_tag(self):
        if "ATTN_LIBRARY" not in os.environ:  # an editable installation
            return "py3", "none", f"linux_{platform.machine()}"
        needed = glibc_of(library())
        if not needed:
            raise SetupError(f"expects a shared library that needs glibc, got {library()}")
        major, minor = max(needed.union(*map(glibc_of, tools())))
        return "py3", "none", f"manylinux_{major}_{minor}_{platform.machine()}"


setup(
    version=version(),
    distclass=OfOneMachine,
    entry_points={"console_scripts": SCRIPTS if os.environ.get("ATTN_TOOLS") else []},
    cmdclass={"build_py": PackLibrary, "bdist_wheel": WheelOfLibrary},
    # build/ is CMake's.
    options={"build": {"build_base": "build-wheel"}},
)
