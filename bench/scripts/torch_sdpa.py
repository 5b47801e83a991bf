#!/usr/bin/env python3
"""Times PyTorch's scaled-dot-product attention backends as attn-bench times its own.

FlashAttention-2 (and cuDNN as PyTorch calls it) are peers that exist only inside
PyTorch. Until attn-bench starts them itself, this script measures them the same way:
CUDA events around each run, the L2 cache flushed before it and outside the interval,
the median of the samples, inputs normal and stored as (batch, position, head, channel).
Backends of one case take turns over several rounds, so that a clock that changes
changes for all.

Prints CSV, one line per case and backend:
  backend,pattern,dtype,B,Hq,M,Hkv,N,D,median_us,tflops,max_error,note

Example:
  torch_sdpa.py --batch 4 --heads 16 --length 1024 4096 --dim 128 --causal 0 1
"""

import argparse
import csv
import itertools
import math
import statistics
import sys

COLUMNS = (
    "backend,pattern,dtype,B,Hq,M,Hkv,N,D,median_us,tflops,max_error,note".split(",")
)
ROUNDS = 3


def parse(arguments):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, nargs="+", default=[4])
    parser.add_argument("--heads", type=int, nargs="+", default=[16])
    parser.add_argument("--kv-heads", type=int, help="default: as many as heads")
    parser.add_argument("--length", type=int, nargs="+", default=[4096])
    parser.add_argument("--dim", type=int, nargs="+", default=[128])
    parser.add_argument("--dtype", choices=["bfloat16", "float16"], default="bfloat16")
    parser.add_argument("--causal", type=int, choices=[0, 1], nargs="+", default=[0, 1])
    parser.add_argument(
        "--backend",
        choices=["flash", "cudnn", "efficient", "math"],
        nargs="+",
        default=["flash", "cudnn"],
    )
    parser.add_argument("--samples", type=int, default=30, help="per round")
    return parser.parse_args(arguments)


def sdpa_backends(names):
    from torch.nn.attention import SDPBackend

    known = {
        "flash": SDPBackend.FLASH_ATTENTION,
        "cudnn": SDPBackend.CUDNN_ATTENTION,
        "efficient": SDPBackend.EFFICIENT_ATTENTION,
        "math": SDPBackend.MATH,
    }
    return {name: known[name] for name in names}


def flush_buffer():
    """Twice the L2 cache, to be overwritten before each run."""
    import torch

    size = torch.cuda.get_device_properties(0).L2_cache_size
    return torch.empty(2 * size, dtype=torch.uint8, device="cuda")


def take_samples(run, buffer, count):
    """Seconds of `count` runs, each with a cold cache, enqueued without waiting."""
    import torch

    pairs = []
    for _ in range(count):
        pair = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
        buffer.zero_()
        pair[0].record()
        run()
        pair[1].record()
        pairs.append(pair)
    torch.cuda.synchronize()
    return [start.elapsed_time(end) * 1e-3 for start, end in pairs]


def reference(query, key, value, causal, scale):
    """f32 softmax(QK^T)V, one batch and head at a time."""
    import torch

    out = torch.empty(query.shape, dtype=torch.float32, device=query.device)
    group = query.shape[1] // key.shape[1]
    rows = torch.arange(query.shape[2], device=query.device)
    keep = rows[:, None] >= torch.arange(key.shape[2], device=query.device)[None, :]
    for b, h in itertools.product(range(query.shape[0]), range(query.shape[1])):
        scores = query[b, h].float() @ key[b, h // group].float().T * scale
        if causal:
            scores.masked_fill_(~keep, -math.inf)
        out[b, h] = torch.softmax(scores, -1) @ value[b, h // group].float()
    return out


def make_inputs(case, dtype):
    import torch

    batch, heads, kv_heads, length, dim = case
    torch.manual_seed(0)

    def tensor(count):
        data = torch.randn(batch, length, count, dim, device="cuda")
        return data.to(dtype).transpose(1, 2)

    return tensor(heads), tensor(kv_heads), tensor(kv_heads)


def runner(inputs, causal, scale):
    import torch.nn.functional as F

    query, key, value = inputs
    grouped = query.shape[1] != key.shape[1]

    def run():
        return F.scaled_dot_product_attention(
            query, key, value, is_causal=causal, scale=scale, enable_gqa=grouped
        )

    return run


def run_case(case, causal, options, buffer, write):
    import torch
    from torch.nn.attention import sdpa_kernel

    batch, heads, kv_heads, length, dim = case
    scale = 1 / math.sqrt(dim)
    inputs = make_inputs(case, getattr(torch, options.dtype))
    expected = reference(*inputs, causal, scale)
    run = runner(inputs, causal, scale)
    samples, errors, notes = {}, {}, {}
    backends = sdpa_backends(options.backend)
    # The choice of a backend costs the host time, so it stays out of the loops.
    for name, backend in backends.items():
        try:
            with sdpa_kernel(backend):
                errors[name] = (run().float() - expected).abs().max().item()
                take_samples(run, buffer, 5)
            samples[name] = []
        except RuntimeError as error:
            notes[name] = str(error).splitlines()[0]
    for _ in range(ROUNDS):
        for name, taken in samples.items():
            with sdpa_kernel(backends[name]):
                taken += take_samples(run, buffer, options.samples)

    pairs = length * (length + 1) // 2 if causal else length * length
    flops = 4.0 * batch * heads * pairs * dim
    for name in options.backend:
        row = [name, "causal" if causal else "noop", options.dtype, batch, heads]
        row += [length, kv_heads, length, dim]
        if name in samples:
            median = statistics.median(samples[name])
            row += [f"{median * 1e6:.2f}", f"{flops / median * 1e-12:.1f}"]
            row += [f"{errors[name]:.2e}", ""]
        else:
            row += ["", "", "", notes[name]]
        write(row)


def main(arguments=None):
    options = parse(arguments)
    try:
        import torch
    except ImportError:
        sys.exit("torch_sdpa: error: PyTorch is not installed")
    if not torch.cuda.is_available():
        sys.exit("torch_sdpa: error: PyTorch sees no GPU")
    # The reference must be f32, not tf32.
    torch.backends.cuda.matmul.allow_tf32 = False
    print(
        f"torch_sdpa: PyTorch {torch.__version__}, cuDNN "
        f"{torch.backends.cudnn.version()}, {torch.cuda.get_device_name(0)}",
        file=sys.stderr,
    )
    writer = csv.writer(sys.stdout)
    writer.writerow(COLUMNS)

    def write(row):
        writer.writerow(row)
        sys.stdout.flush()

    buffer = flush_buffer()
    for batch, heads, length, dim, causal in itertools.product(
        options.batch, options.heads, options.length, options.dim, options.causal
    ):
        case = (batch, heads, options.kv_heads or heads, length, dim)
        run_case(case, bool(causal), options, buffer, write)


if __name__ == "__main__":
    main()
