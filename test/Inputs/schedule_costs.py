"""Compares what attn-print-schedule-costs tells of kernels with the kernels.

    sm90a short-rows bf16 128 causal: @attention 231424 shared bytes, estimated 231424

is printed of each whose shared memory, or registers to be had, are not what was told, and at the end how many there
are. With --ptxas also how registers compare: of kernels that ptxas counts (without setmaxnreg, below the most that a
thread can have) how much less the estimate is, and of those that spill, and of those that do not, how many it refuses.

usage: schedule_costs.py MODS_DIRECTORY [--candidates] [--ptxas] [--verbose]

The kernels are those of the schedule tables, forward and gradients of every width; with --candidates those of
schedules that a search would meet, many of which spill. Exits with 1 if anything differs.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

WIDTHS = ["33", "64", "96", "128", "192", "192,128", "256", "64,256"]
generator = os.path.join(os.path.dirname(os.path.abspath(__file__)), "attention_of.py")


@dataclass
class Case:
    target: str
    element: str
    width: str
    pattern: str
    problem: str = "any"
    direction: str = ""
    schedule: str = ""

    def __str__(self):
        words = (self.target, self.problem, self.element, self.width, self.pattern, self.direction, self.schedule)
        return " ".join(word for word in words if word)


@dataclass
class Kernel:
    case: Case
    name: str
    told_bytes: int
    told_registers: int
    told_limit: int
    bytes: int
    limit: int
    used: int = 0
    spilled: float = 0


def tables(widths):
    for width in widths:
        for problem in ("any", "few-tasks", "few-rounds", "short-rows"):
            yield Case("sm90a", "bf16", width, "causal", problem)
        yield Case("sm90a", "f16", width, "document_mask")
        for element in ("bf16", "f32"):
            yield Case("sm80", element, width, "noop")
            yield Case("sm80", element, width, "alibi")
            yield Case("sm80", element, width, "causal", direction="--backward")
            yield Case("sm80", element, width, "alibi", direction="--captures")
            yield Case("sm80", element, width, "alibi", schedule="#attn.schedule<tiling = <q = 16, kv = 32, pack>>")
        for pattern in ("noop", "softcap"):
            yield Case("sm90a", "bf16", width, pattern, direction="--backward")
        yield Case("sm90a", "bf16", width, "alibi", direction="--captures")


def candidates():
    """What a search would try: larger key tiles until registers do not do."""
    roles = "#attn.schedule<tiling = <q = {}, kv = {}>, roles = <warps = {}, producers = 4{}>, pipeline = <persistent>>"
    for width, groups, keys in [("64", (1, 2, 3), (96, 128, 160, 192, 256)), ("128", (1, 2), (64, 128, 160, 192, 256)),
                                ("128", (3,), (32, 64, 96)), ("192", (1, 2), (64, 112, 160)),
                                ("256", (1, 2), (64, 80, 96, 128))]:
        for group in groups:
            for kv in keys:
                schedule = roles.format(64 * group, kv, 4 * group, ", pingpong" if group == 2 else "")
                yield Case("sm90a", "bf16", width, "noop", schedule=schedule)
    plain = "#attn.schedule<tiling = <q = {}, kv = {}>, roles = <warps = 4>>"
    for width, q, keys in [("64", 64, (32, 64, 128, 192)), ("64", 128, (32, 64, 112, 160)), ("128", 64, (32, 64, 128)),
                           ("128", 128, (32, 64, 96)), ("256", 64, (32, 64, 96))]:
        for kv in keys:
            yield Case("sm80", "bf16", width, "causal", schedule=plain.format(q, kv))


def run(command, text=None):
    done = subprocess.run(command, input=text, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
    return done.stdout or done.stderr


def compiled(case):
    """What was told of each kernel by its name, and the module."""
    mod = os.path.join(arguments.mods, case.pattern + ".mlir")
    source = run([sys.executable, generator, *filter(None, [case.direction]), mod, case.element, case.width,
                  *filter(None, [case.schedule])])
    exact = "true" if case.element == "f32" else "false"
    passes = (f"attn-mods-pipeline,attn-select-schedule{{target={case.target} problem={case.problem}}},"
              f"attn-print-schedule-costs,attn-gpu-pipeline{{target={case.target} exact={exact}}}")
    text = run(["attn-opt", f"--pass-pipeline=builtin.module({passes})"], source)
    line = r"^@(\w+): \d+ threads, (\d+) shared bytes, about (\d+) of (\d+) registers\n"
    told = {name: [int(n) for n in numbers] for name, *numbers in re.findall(line, text, re.M)}
    return told, re.sub(r"(?m)^@.*\n", "", text)


def kernels_of(case):
    told, module = compiled(case)
    kernels = {}
    for function in re.split(r"llvm\.func @", module)[1:]:
        name = re.match(r"\w+", function).group(0)
        if name not in told:
            continue
        found = re.search(r"attn\.shared_bytes = (\d+)", function)
        share = re.search(r"setmaxregister\s+increase (\d+)", function)
        kernels[name] = Kernel(case, name, *told[name], int(found.group(1)) if found else 0,
                               int(share.group(1)) if share else 255)
    if set(told) != set(kernels):
        raise RuntimeError(f"{case}: told of {sorted(told)}, found {sorted(kernels)}")
    if arguments.ptxas:
        ask_ptxas(case, module, kernels)
    return list(kernels.values())


def ask_ptxas(case, module, kernels):
    chip = "sm_90a" if case.target == "sm90a" else "sm_80"
    for part in re.split(r"(?m)^(?=\.version)", run(["attn-translate", "--attn-to-ptx"], module)):
        entry = re.search(r"\.entry (\w+)", part)
        if not entry or entry.group(1) not in kernels:
            continue
        with tempfile.NamedTemporaryFile("w", suffix=".ptx") as file:
            file.write(part)
            file.flush()
            command = ["ptxas", "-v", "-arch=" + chip, file.name, "-o", os.devnull]
            log = subprocess.run(command, capture_output=True, text=True).stderr
        kernel = kernels[entry.group(1)]
        if "C7602" in log:  # not even one instruction's operands fit
            kernel.spilled = float("inf")
            continue
        kernel.used = int(re.search(r"Used (\d+) registers", log).group(1))
        kernel.spilled = int(re.search(r"(\d+) bytes spill stores", log).group(1))


def report_registers(kernels):
    kernels = [kernel for kernel in kernels if kernel.told_bytes]
    counted = [k.used - k.told_registers for k in kernels if k.limit == 255 and k.used < 250 and not k.spilled]
    print(f"registers of {len(counted)} kernels: {min(counted)} to {max(counted)} more than told, "
          f"{sum(counted) / len(counted):.0f} in the mean")
    spilling = [kernel for kernel in kernels if kernel.spilled]
    others = [kernel for kernel in kernels if not kernel.spilled]
    refused = lambda some: sum(kernel.told_registers > kernel.limit for kernel in some)
    print(f"of {len(spilling)} that spill, {len(spilling) - refused(spilling)} are not refused")
    print(f"of {len(others)} that do not, {refused(others)} are refused")


parser = argparse.ArgumentParser()
parser.add_argument("mods")
parser.add_argument("--widths", nargs="+", default=WIDTHS)
parser.add_argument("--candidates", action="store_true")
parser.add_argument("--ptxas", action="store_true")
parser.add_argument("--verbose", action="store_true")
arguments = parser.parse_args()
cases = candidates() if arguments.candidates else tables(arguments.widths)
with ThreadPoolExecutor(os.cpu_count()) as pool:
    all_kernels = [kernel for some in pool.map(kernels_of, cases) for kernel in some]
different = [k for k in all_kernels if (k.bytes, k.limit) != (k.told_bytes, k.told_limit)]
for kernel in all_kernels if arguments.verbose else different:
    print(f"{kernel.case}: @{kernel.name} {kernel.bytes} shared bytes, estimated {kernel.told_bytes}; registers "
          f"{kernel.used} of {kernel.limit}, {kernel.spilled} bytes spilled, estimated {kernel.told_registers} of "
          f"{kernel.told_limit}")
print(f"{len(all_kernels)} kernels, shared memory or registers to be had of {len(different)} differ")
print(f"{sum(k.told_registers > k.told_limit for k in all_kernels)} are told to have too few registers")
if arguments.ptxas:
    report_registers(all_kernels)
sys.exit(1 if different else 0)
