"""PyTorch's scaled_dot_product_attention, one of its kernels at a time.

Masks and biases are a dense matrix of queries x keys, made beforehand. A query that
is decoded sees one run of keys, which is sliced instead of masked. Documents are
nested tensors.
"""

import functools
import warnings

import pattern as patterns
from problem import Attention
from refusal import Refusal, first_line, unavailable, unsupported


def any_backend(problem):
    """Whichever kernel PyTorch chooses."""
    attention = _attention(problem, None)
    attention.remark = "; ".join(filter(None, [attention.remark, _choice(problem)]))
    return attention


def _choice(problem):
    """Which kernel that is, where it can be told from the tensors alone."""
    import torch
    from torch.nn.attention import SDPBackend

    pattern = problem.pattern
    if problem.device != "cuda" or pattern.bias or pattern.documents:
        return ""
    causal = _is_plain_causal(problem)
    if problem.is_decoding or (pattern.is_masked and not causal):
        return ""
    options = {"is_causal": causal, "scale": problem.scale}
    if problem.group != 1:
        options["enable_gqa"] = True
    try:
        tensors = (problem.query, problem.key, problem.value)
        chosen = torch._fused_sdp_choice(*tensors, **options)
        return f"PyTorch chose {SDPBackend(chosen).name}"
    except (AttributeError, RuntimeError, TypeError, ValueError):
        return ""  # It is no part of the interface that PyTorch promises.


def efficient(problem):
    return _attention(problem, "EFFICIENT_ATTENTION")


def cudnn(problem):
    """cuDNN as PyTorch calls it: the kernels of `cudnn`, in this process."""
    return _attention(problem, "CUDNN_ATTENTION")


def flash(problem):
    """FlashAttention-2 as PyTorch contains it."""
    return _attention(problem, "FLASH_ATTENTION")


def _attention(problem, kernel):
    if kernel and problem.device == "cpu":
        raise unavailable("needs an NVIDIA GPU (on the processor: sdpa)")
    problem.refuse_cache("SDPA")
    if problem.pattern.softcap:
        raise unsupported("SDPA has no softcap")
    context = _context(kernel)
    if problem.pattern.documents:
        return Attention(_nested(problem), context=context)
    first, end = 0, problem.keys
    arguments = {"scale": problem.scale}
    if problem.is_decoding:
        first, end = problem.visible_keys()
    if _is_plain_causal(problem):
        arguments["is_causal"] = True
    elif problem.queries > 1 or problem.pattern.bias or not problem.is_decoding:
        bias = problem.dense_bias(first, end - first)
        if bias is not None:
            arguments["attn_mask"] = bias.expand(problem.batch, -1, -1, -1)
    return _first_that_runs(problem, context, (first, end), arguments)


def _is_plain_causal(problem):
    only_causal = patterns.parse("causal")
    return problem.pattern == only_causal and not problem.is_decoding


def _context(kernel):
    import contextlib

    from torch.nn.attention import SDPBackend, sdpa_kernel

    if kernel is None:
        return contextlib.nullcontext
    return functools.partial(sdpa_kernel, getattr(SDPBackend, kernel))


def _first_that_runs(problem, context, keys, arguments):
    """Grouped heads as they are, or if the kernel does not take them, with K and V
    repeated for all heads beforehand."""
    first, end = keys

    def call(query, key, value):
        import torch.nn.functional as functional

        return functional.scaled_dot_product_attention(
            query, key[:, :, first:end], value[:, :, first:end], **arguments
        )

    if problem.group == 1:
        _try(problem, context, call)
        return Attention(call, context=context)
    grouped = {**arguments, "enable_gqa": True}

    def call_grouped(query, key, value):
        import torch.nn.functional as functional

        return functional.scaled_dot_product_attention(
            query, key[:, :, first:end], value[:, :, first:end], **grouped
        )

    try:
        _try(problem, context, call_grouped)
        return Attention(call_grouped, context=context)
    except Refusal:
        pass
    return _repeated(problem, context, call)


def _repeated(problem, context, call):
    def for_all_heads(tensor):
        # As a view and a copy: backward sums over the view's dimension.
        expanded = tensor[:, :, None].expand(-1, -1, problem.group, -1, -1)
        return expanded.flatten(1, 2)

    repeats = [for_all_heads(tensor) for tensor in (problem.key, problem.value)]

    def call_repeated(query, key, value):
        if key.requires_grad:
            return call(query, for_all_heads(key), for_all_heads(value))
        return call(query, *repeats)

    _try(problem, context, call_repeated)
    remark = "K and V were repeated for all heads beforehand"
    return Attention(call_repeated, remark, context)


def _try(problem, context, call):
    """Runs once; a refusal of SDPA's becomes one of ours, with its reason."""
    import torch

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with torch.no_grad(), context():
                call(problem.query, problem.key, problem.value)
            return
        except RuntimeError as error:
            if "No available kernel" not in str(error):
                raise
    raise unsupported("SDPA: " + _reason(caught))


def _reason(caught):
    """The warnings come in pairs: which kernel is not used, and why."""
    texts = [first_line(warning.message) for warning in caught]
    reasons = [
        text.split(" (Triggered internally")[0]
        for text in texts
        if "not used because" not in text and "has been runtime disabled" not in text
    ]
    if not reasons:
        return "no kernel takes this problem"
    return reasons[0] if len(reasons[0]) < 120 else reasons[0].split(". ")[0]


def _nested(problem):
    import torch
    import torch.nn.functional as functional

    if problem.device == "cpu":
        raise unsupported("SDPA on nested tensors is only for GPUs")
    if problem.group != 1:
        raise unsupported("SDPA on nested tensors takes no grouped heads")
    offsets, longest = patterns.document_offsets(problem.captures["documents"])
    offsets = offsets.to(torch.int64)

    def nested(tensor):
        packed = tensor.transpose(1, 2)[0]
        ragged = torch.nested.nested_tensor_from_jagged(
            packed, offsets, min_seqlen=1, max_seqlen=longest
        )
        return ragged.transpose(1, 2)

    def call(query, key, value):
        out = functional.scaled_dot_product_attention(
            nested(query), nested(key), nested(value), is_causal=True, scale=problem.scale
        )
        return out.transpose(1, 2).values()[None].transpose(1, 2)

    return call
