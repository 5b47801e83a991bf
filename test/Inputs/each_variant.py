"""Makes every kernel that a launch may take by hand: of what attn-select-schedule prints, an attention for each variant,
on which its schedules are written.

usage: each_variant.py MOD.mlir TYPE HEAD_DIM[,VALUE_DIM] TARGET [--backward | --captures]

Prints, for each, its place, its guard, and the kernels that the pipeline of its target makes. Exits with 1 where that
is not what `attn-select-schedule{variant=N}` gives.
"""

import os
import re
import subprocess
import sys

generator = os.path.join(os.path.dirname(os.path.abspath(__file__)), "attention_of.py")
mod, element, dim, target, *kind = sys.argv[1:]


def run(command, text=None):
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


def source(*schedule):
    return run([sys.executable, generator, *kind, mod, element, dim, *schedule])


def lower(text, passes):
    return run(["attn-opt", f"--pass-pipeline=builtin.module({passes})"], text)


# What an operation is printed with stands in its list of attributes, by the same names.
plain = source()
mods = "attn-mods-pipeline"
plan = re.search(r"#attn\.variants<\[(.*)\]>", lower(plain, f"{mods},attn-select-schedule{{target={target}}}")).group(1)
whole = r"<(?:[^<>]|<[^<>]*>)*>"
variants = re.findall(rf"<([^<>]*) -> ({whole})((?:, \w+ = (?:{whole}|true))*)>", plan)
for place, (guard, schedule, others) in enumerate(variants):
    others = others.replace("_schedule = <", "_schedule = #attn.schedule<")
    others = others.replace("strided_captures = true", "strided_captures")
    written = f"#attn.schedule{schedule}{others}"
    family = "cpu" if target == "cpu" else "sm90a" if re.search(r"\bsm90a\b", guard) else "sm80"
    pipeline = "attn-cpu-pipeline" if family == "cpu" else f"attn-gpu-pipeline{{target={family}}}"
    by_hand = lower(source(written), pipeline)
    chosen = lower(plain, f"{mods},attn-select-schedule{{target={target} variant={place}}},{pipeline}")
    if by_hand != chosen:
        sys.exit(f"variant {place}, {guard}: what is written by hand gives other code than what is chosen")
    kernels = re.findall(r"llvm\.func @(\w+)\([^\n]*(?:nvvm\.kernel|attn\.kernel)", by_hand)
    print(place, guard, family, *kernels)
