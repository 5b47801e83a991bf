"""attn-opt, attn-compile and attn-bench as console scripts of a wheel that has them (docs/Python.md)."""

import os
import sys

_BESIDE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tools", "bin")


def run(name):
    """Becomes the tool, with this process's arguments; 1 if there is none. ATTN_TOOLS names another folder of tools."""
    path = os.path.join(os.environ.get("ATTN_TOOLS") or _BESIDE, name)
    if not os.access(path, os.X_OK):
        print(f"error: expects {name} in {os.path.dirname(path)}, got none", file=sys.stderr)
        return 1
    os.execv(path, [path, *sys.argv[1:]])


def opt():
    return run("attn-opt")


def compile():
    return run("attn-compile")


def bench():
    return run("attn-bench")
