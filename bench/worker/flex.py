"""FlexAttention, compiled. The block mask is made beforehand, and has its own time."""

import functools
import importlib.util
import time

import pattern as patterns
from problem import Attention
from refusal import unavailable, unsupported


def triton(problem):
    return _attention(problem, {})


def flash(problem):
    """FlexAttention on FlashAttention-4's kernels."""
    if problem.device != "cuda":
        raise unavailable("needs an NVIDIA GPU")
    parent = importlib.util.find_spec("flash_attn")
    if not parent or not importlib.util.find_spec("flash_attn.cute"):
        raise unavailable("FlashAttention-4 is not installed (package flash-attn-4)")
    return _attention(problem, {"BACKEND": "FLASH"})


@functools.cache
def _compiled(max_autotune, dynamic):
    import torch
    from torch.nn.attention.flex_attention import flex_attention

    torch._dynamo.config.automatic_dynamic_shapes = False
    for limit in ("recompile_limit", "cache_size_limit"):
        if hasattr(torch._dynamo.config, limit):
            setattr(torch._dynamo.config, limit, 1000)
    mode = "max-autotune-no-cudagraphs" if max_autotune else None
    return torch.compile(flex_attention, dynamic=dynamic, mode=mode)


@functools.cache
def _compiled_block_mask():
    import torch
    from torch.nn.attention.flex_attention import create_block_mask

    return torch.compile(create_block_mask)


def _is_mask_compiled(problem):
    """On a GPU, unless the mask reads a tensor: PyTorch 2.11 then compiled
    create_block_mask for over 100 s without an end."""
    reads = problem.pattern.documents or problem.is_ragged
    return problem.device == "cuda" and not reads


def _block_mask(problem, mask_mod):
    """The block mask, and the fewest seconds that making it took."""
    import torch
    from torch.nn.attention.flex_attention import create_block_mask

    compiled = _is_mask_compiled(problem)
    make = _compiled_block_mask() if compiled else create_block_mask
    batch = problem.batch if problem.is_ragged else None
    sizes = (batch, None, problem.queries, problem.keys)
    seconds = []
    on_gpu = problem.device == "cuda"
    for _ in range(4 if on_gpu else 1):
        if on_gpu:
            torch.cuda.synchronize()
        start = time.perf_counter()
        mask = make(mask_mod, *sizes, problem.device)
        if on_gpu:
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    return mask, min(seconds[1:] or seconds)


def _attention(problem, kernel_options):
    if problem.queries == 0 or problem.keys == 0:
        raise unsupported("FlexAttention takes no empty sequences")
    problem.refuse_cache("FlexAttention as it is called here", ragged=False)
    compiled = _compiled(problem.max_autotune, problem.dynamic)
    pattern, captures = problem.pattern, problem.captures
    offset, lengths = problem.offset, problem.lengths if problem.is_ragged else None
    if problem.is_ragged:
        offset = problem.lengths - problem.queries
    score_mod = patterns.score_mod(pattern, offset, captures)
    mask_mod = patterns.mask_mod(pattern, offset, captures, lengths)
    mask, seconds = None, 0.0
    if mask_mod is not None:
        mask, seconds = _block_mask(problem, mask_mod)
    remark = ""
    if mask is not None and problem.device == "cuda" and not _is_mask_compiled(problem):
        remark = "the block mask was made without torch.compile, which does not end for it"
    options = dict(kernel_options)

    def call(query, key, value):
        return compiled(
            query,
            key,
            value,
            score_mod=score_mod,
            block_mask=mask,
            scale=problem.scale,
            enable_gqa=problem.group != 1,
            kernel_options=options or None,
        )

    return Attention(call, remark, lists_seconds=seconds)
