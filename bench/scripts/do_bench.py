#!/usr/bin/env python3
"""Do others measure the same? Runs the cases of a finished attn-bench run by
PyTorch's own timers (triton.testing.do_bench on a GPU, torch.utils.benchmark on a
processor) and prints both medians:

    python3 bench/scripts/do_bench.py results.json

Each function runs alone here, while the backends of attn-bench take turns. "drift" is
how much longer attn-bench's samples are in the first quarter of a turn than in its
last: far from 1, the turn began with clocks or caches that it had to get used to.
"""

import argparse
import contextlib
import json
import os
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), os.pardir, "worker"))

import backends
import pattern as patterns
import problem as problems
import refusal
import sdpa

TORCH_DTYPES = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}
# attn-bench's own cudnn is a graph of cuDNN's; PyTorch makes the same one.
BACKENDS = {
    **backends.BACKENDS,
    "cudnn": lambda problem: sdpa._attention(problem, "CUDNN_ATTENTION"),
}


class LocalProblem(problems.Problem):
    """A case's problem on tensors of this process, stored as attn-bench stores its."""

    def __init__(self, case, device):
        import torch

        sizes, flags = case["sizes"], case["repeat"].split()
        self.device = device
        self.pattern = patterns.parse(case["attn_type"])
        self.offset = sizes["keys"] // 2 if "--decoding" in flags else 0
        self.scale = sizes["head_dim"] ** -0.5
        self.max_autotune = "--max-autotune" in flags
        self.dynamic = "--dynamic" in flags
        dtype = getattr(torch, TORCH_DTYPES[case["dtype"]])

        def tensor(heads, length, dim):
            stored = torch.randn(
                sizes["batch"], length, heads, dim, dtype=dtype, device=device
            )
            return stored.transpose(1, 2)

        self.query = tensor(sizes["heads"], sizes["queries"], sizes["head_dim"])
        self.key = tensor(sizes["kv_heads"], sizes["keys"], sizes["head_dim"])
        self.value = tensor(sizes["kv_heads"], sizes["keys"], sizes["value_dim"])
        heads = torch.arange(sizes["heads"], device=device)
        self.captures = {
            "slopes": torch.exp2(-8.0 * (heads + 1) / sizes["heads"]),
            "bias": 2.0 * heads,
            "documents": documents(sizes["sequences"], sizes["keys"]).to(device),
        }


def documents(count, length):
    """Random lengths of at least one; not those of attn-bench, but of their kind."""
    import torch

    random = torch.Generator().manual_seed(0)
    extra = torch.randint(count, (max(0, length - count),), generator=random)
    return torch.cat([torch.arange(count), extra])[:length].sort().values.int()


def do_bench(call, device):
    """The median in seconds, by the timer of the device."""
    if device == "cuda":
        from triton.testing import do_bench as timer

        return timer(call, return_mode="median") * 1e-3
    from torch.utils.benchmark import Timer

    import torch

    timer = Timer("call()", globals={"call": call}, num_threads=torch.get_num_threads())
    return timer.blocked_autorange(min_run_time=0.5).median


def measure(case, backend, device):
    """Raises what the backend raises."""
    import torch

    problem = LocalProblem(case, device)
    attention = BACKENDS[backend](problem)
    inputs = (problem.query, problem.key, problem.value)
    with torch.no_grad(), attention.context():
        return do_bench(lambda: attention.call(*inputs), device)


def drift(outcome):
    """Samples in the first quarter of the turns over those in the last."""
    samples, ratios = list(outcome["samples_us"]), []
    for count in outcome["rounds"]:
        turn, samples = samples[:count], samples[count:]
        quarter = count // 4
        if quarter:
            ratios.append(statistics.mean(turn[:quarter]) / statistics.mean(turn[-quarter:]))
    return f"{statistics.mean(ratios):.3f}" if ratios else ""


def row(case, backend, device):
    outcome = case["backends"][backend]
    ours = outcome["median_us"]
    cells = [case["attn_type"], case["dtype"], case["shape"], backend, f"{ours:.1f}"]
    try:
        theirs = measure(case, backend, device) * 1e6
        cells += [f"{theirs:.1f}", f"{100 * (ours / theirs - 1):+.1f}%"]
    except Exception as error:
        cells += ["-", refusal.refusal_for(error).reason]
    return cells + [drift(outcome), "yes" if case["conditions"]["throttled"] else ""]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("results", help="the JSON file of a run")
    parser.add_argument("--backend", nargs="*", choices=sorted(BACKENDS))
    arguments = parser.parse_args()
    with open(arguments.results) as file:
        results = json.load(file)
    device = results["run"]["target"]
    wanted = arguments.backend or sorted(BACKENDS)
    header = "| pattern | dtype | shape | backend | attn-bench (us) | do_bench (us) |"
    print(header + " difference | drift | clocks held down |", "|---" * 9 + "|", sep="\n")
    for case in results["cases"]:
        for backend in results["run"]["backends"]:
            timed = "median_us" in case["backends"][backend]
            if backend not in wanted or not timed:
                continue
            with contextlib.redirect_stdout(sys.stderr):
                cells = row(case, backend, device)
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
