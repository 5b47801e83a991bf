#!/usr/bin/env python3
"""Is a race fair? Two backends that run the same kernels in two processes must take the
same time, and all backends of a case must have kept the GPU equally busy:

    attn-bench -b 4 -nh 16,16 -s 4096 -d 128 -mods noop causal --backend cudnn sdpa_cudnn \\
        --save-path fair.csv
    python3 bench/scripts/fair.py fair.json

prints each case's times and duties, and exits with 1 if `cudnn` and `sdpa_cudnn` (--pair) are
more than 1% (--limit) apart, or two duties more than one point (--points).
"""

import argparse
import json
import sys


def timings(case):
    """The passes of a case that were timed: (pass, backend, timing)."""
    for backend, outcome in case["backends"].items():
        for name, timing in (("forward", outcome), ("backward", outcome.get("backward"))):
            if timing and "median_us" in timing:
                yield name, backend, timing


def duty(timing):
    """The share of time that the GPU worked, in per cent, or None."""
    share = timing.get("measured_duty")
    return None if share is None else 100 * share


def check(case, name, found, arguments):
    """One line for one pass of a case, and what is wrong with it."""
    faults = []
    first, second = (found.get(backend) for backend in arguments.pair)
    cells = [case["attn_type"], case["dtype"], case["shape"], name]
    cells += [f"{backend} {timing['median_us']:.1f}" for backend, timing in found.items()]
    if first and second:
        difference = 100 * (second["median_us"] / first["median_us"] - 1)
        cells.append(f"{difference:+.2f}%")
        if abs(difference) > arguments.limit:
            faults.append(f"differ by {difference:+.2f}%")
    else:
        faults.append("'" + "' and '".join(arguments.pair) + "' were not both timed")
    duties = [duty(timing) for timing in found.values()]
    if None in duties:
        faults.append("a duty is missing")
    else:
        cells.append("duty " + " ".join(f"{share:.1f}%" for share in duties))
        if max(duties) - min(duties) > arguments.points:
            faults.append(f"duties from {min(duties):.1f}% to {max(duties):.1f}%")
    return " | ".join(cells), faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("results", nargs="+", help="JSON files of runs")
    parser.add_argument("--pair", nargs=2, default=["cudnn", "sdpa_cudnn"])
    parser.add_argument("--limit", type=float, default=1.0, help="per cent")
    parser.add_argument("--points", type=float, default=1.0, help="of duty, per cent")
    arguments = parser.parse_args()
    checked, unfair = 0, 0
    for path in arguments.results:
        with open(path) as file:
            cases = json.load(file)["cases"]
        for case in cases:
            passes = {}
            for name, backend, timing in timings(case):
                passes.setdefault(name, {})[backend] = timing
            if not passes:
                passes["forward"] = {}
            for name, found in passes.items():
                line, faults = check(case, name, found, arguments)
                checked, unfair = checked + 1, unfair + bool(faults)
                print(line + "".join(f" | UNFAIR: {fault}" for fault in faults))
    print(f"{checked - unfair} of {checked} races are fair")
    return 1 if unfair or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
