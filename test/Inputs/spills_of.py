"""Compiles patterns to GPU code and prints what ptxas says of each kernel's registers:

    causal bf16 128 sm_90: 0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads

and behind it the number of each message (C7508 and the like) about matrix instructions that
run one after the other.

usage: spills_of.py [--backward | --captures] MODS_DIRECTORY CHIP TYPE HEAD_DIM[,VALUE_DIM] [SCHEDULE] PATTERN...

A schedule (#attn.schedule<...>) instead of the chosen one is named behind the chip.
--backward: the kernels of gradients, one after the other. --captures: those of captured floats too.
"""

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

direction = [sys.argv[1]] if sys.argv[1] in ("--backward", "--captures") else []
mods, chip, element, dim, *patterns = sys.argv[1 + len(direction) :]
schedule = [patterns.pop(0)] if patterns[0].startswith("#") else []
generator = os.path.join(os.path.dirname(os.path.abspath(__file__)), "attention_of.py")


def run(command, text=None):
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise SystemExit(f"{command[0]} failed on {element} {dim}")
    return done.stdout or done.stderr


def assemble(ptx):
    with tempfile.NamedTemporaryFile("w", suffix=".ptx") as file:
        file.write(ptx)
        file.flush()
        return run(["ptxas", "-v", "-arch=" + chip, file.name, "-o", os.devnull])


def report(pattern):
    mod = os.path.join(mods, pattern + ".mlir")
    source = run([sys.executable, generator, *direction, mod, element, dim, *schedule])
    pipeline = "--attn-gpu-pipeline" + ("=target=sm90a" if chip == "sm_90a" else "")
    kernel = run(["attn-opt", pipeline], source)
    ptx = run(["attn-translate", "--attn-to-ptx"], kernel)
    log = "".join(assemble(part) for part in re.split(r"(?m)^(?=\.version)", ptx) if ".entry" in part)
    spills = re.findall(r"\d+ bytes stack frame.*|\bC75\d\d\b", log)
    return "\n".join(" ".join([pattern, element, dim, chip, *schedule]) + f": {line}" for line in spills or [log])


with ThreadPoolExecutor(os.cpu_count()) as pool:
    for lines in pool.map(report, patterns):
        print(lines)
