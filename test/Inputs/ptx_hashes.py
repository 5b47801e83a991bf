"""Prints a hash of the PTX of each kernel that the schedule tables name, one a line:

    sm90a few-tasks bf16 128 causal 0f3c...

A change that must not change code compares with what test/Target/PTX/ptx-hashes.txt records, one that may records
anew (and says why in its commit):

    PATH=build/bin:$PATH python3 test/Inputs/ptx_hashes.py configs/mods > test/Target/PTX/ptx-hashes.txt

usage: ptx_hashes.py MODS_DIRECTORY [--few] [--only TARGET] [--against FILE]

--few: each target, table and pattern, but not all of their combinations. --only: one target's kernels. --against: prints what differs from the
lines of FILE, and exits with 1 if anything does. The code is LLVM's as well: the first line names its version, and
another one than FILE's is an error of its own.
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

NINE = ["noop", "causal", "rel", "head_bias", "alibi", "sliding_window", "document_mask", "prefix_lm", "softcap"]
CAPTURES = ["head_bias", "alibi", "document_mask", "prefix_lm"]
generator = os.path.join(os.path.dirname(os.path.abspath(__file__)), "attention_of.py")


def cases(few):
    """(target, variant, type, dimensions, pattern) of each kernel."""
    for problem in ("any", "few-tasks", "few-rounds", "short-rows"):
        for dim in ("64", "96", "128", "192", "192,128", "256"):
            for pattern in NINE:
                apart = few and dim != "128" and pattern != "causal"
                if problem == "few-rounds" and dim != "64" or apart or few and problem != "any" and pattern not in NINE[:2]:
                    continue
                yield "sm90a", problem, "bf16", dim, pattern
    for dim in ("64", "128", "256"):
        for pattern in NINE:
            if few and dim != "128":
                continue
            yield "sm80", "aligned", "bf16", dim, pattern
            if dim != "256":
                yield "sm80", "exact", "f32", dim, pattern
    for target, variant in (("sm90a", "any"), ("sm80", "aligned")):
        yield target, variant, "f16", "128", "causal"
        for pattern in CAPTURES:
            yield target, variant + "+strided", "bf16", "128", pattern
    for dim, pattern in (("64", "causal"), ("128", "document_mask"), ("33", "noop")):
        yield "sm80", "unaligned", "bf16", dim, pattern
    for functions in ("lists", "transposed", "pairs"):
        for pattern in ("causal", "document_mask"):
            yield "lists", functions, "bf16", "128", pattern


def pipelines(target, variant):
    mods = "attn-mods-pipeline"
    variant, _, strided = variant.partition("+")
    options = " strided-captures=true" if strided else ""
    if target == "lists":
        return f"{mods},attn-gpu-tile-lists-pipeline{{functions={variant} exact=true}}"
    if target == "sm90a":
        return (f"{mods},attn-select-schedule{{target=sm90a problem={variant}}},"
                f"attn-gpu-pipeline{{target=sm90a{options}}}")
    aligned = "false" if variant == "unaligned" else "true"
    exact = "true" if variant == "exact" else "false"
    return f"{mods},attn-gpu-pipeline{{target=sm80 aligned={aligned} exact={exact}{options}}}"


def run(command, text):
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


def line_of(case):
    target, variant, element, dim, pattern = case
    source = run([sys.executable, generator, os.path.join(arguments.mods, pattern + ".mlir"), element, dim], None)
    passes = f"builtin.module({pipelines(target, variant)})"
    ptx = run(["attn-translate", "--attn-to-ptx"], run(["attn-opt", f"--pass-pipeline={passes}"], source))
    return " ".join([*case, hashlib.sha256(ptx.encode()).hexdigest()[:20]])


def compare(lines, path):
    """Prints the lines that differ from those of the file with the same names."""
    with open(path) as file:
        recorded = file.read().splitlines()
    if recorded[0] != lines[0]:
        sys.exit(f"{path} is of {recorded[0]}, this is {lines[0]}: record it anew, from a commit whose code is right")
    known = dict(line.rsplit(" ", 1) for line in recorded[1:])
    different = [line for line in lines[1:] if known.get(line.rsplit(" ", 1)[0]) != line.rsplit(" ", 1)[1]]
    for line in different:
        print("differs:", line)
    print(f"{len(lines) - 1} kernels, {len(different)} differ")
    return 1 if different else 0


parser = argparse.ArgumentParser()
parser.add_argument("mods")
parser.add_argument("--few", action="store_true")
parser.add_argument("--only", choices=["sm90a", "sm80", "lists"])
parser.add_argument("--against")
arguments = parser.parse_args()
version = re.search(r"LLVM [\d.]+", run(["attn-opt", "--version"], None)).group(0)
chosen = [case for case in cases(arguments.few) if arguments.only in (None, case[0])]
with ThreadPoolExecutor(os.cpu_count()) as pool:
    lines = [version, *pool.map(line_of, chosen)]
if arguments.against:
    sys.exit(compare(lines, arguments.against))
print("\n".join(lines))
