"""The FlashAttention packages: flash_attn (2), flash_attn_interface or fa3_fwd_interface
(3), flash_attn.cute (4), and the kernels of the first two for a key-value cache. They
take (batch, position, head, channel).

Their causal mask is aligned to the last key, ours to the first: where the lengths
differ, only what comes to the same is run.
"""

import importlib
import importlib.util
import inspect
import sys

import pattern as patterns
import sdpa
from problem import Attention
from refusal import Refusal, first_line, unavailable, unsupported


def _package(name, title):
    missing = f"{title} is not installed (package {name})"
    try:
        package = importlib.import_module(name)
    except ImportError as error:
        reason = first_line(error)
        if f"No module named '{name}'" in reason:
            reason = missing
        raise unavailable(reason) from None
    if not hasattr(package, "flash_attn_func"):
        raise unavailable(missing)  # flash_attn.cute alone makes an empty flash_attn
    return package


def _refuse_common(problem, title, mods=False):
    """`mods`: whether it takes score and mask programs."""
    import torch

    if problem.device != "cuda":
        raise unavailable("needs an NVIDIA GPU")
    if problem.query.dtype == torch.float32:
        raise unsupported(f"{title} takes bf16 and f16")
    if problem.pattern.bias in ("rel", "head_bias") and not mods:
        raise unsupported(f"{title} has no such bias")
    if problem.pattern.prefix and not mods:
        raise unsupported(f"{title} has no such mask")
    unequal = problem.queries != problem.keys and not problem.is_decoding
    if problem.pattern.causal and unequal:
        raise unsupported(f"{title} aligns its causal mask to the last key")


def fav2(problem):
    """The package, or without it PyTorch's own copy, which knows fewer patterns."""
    try:
        package = _package("flash_attn", "FlashAttention-2")
    except Exception as missing:
        plain = problem.pattern.name in ("noop", "causal")
        if problem.device == "cuda" and not (plain or problem.pattern.documents):
            if problem.is_decoding and not problem.pattern.bias:
                return _in_torch(problem)
            raise unavailable(
                f"{missing}; PyTorch's own copy has no {problem.pattern.name}"
            ) from None
        return _in_torch(problem)
    _refuse_common(problem, "FlashAttention-2")
    options = _options(problem)
    if problem.pattern.bias == "alibi":
        options["alibi_slopes"] = problem.captures["slopes"]
    return _dense_or_packed(problem, package, options)


def _in_torch(problem):
    attention = sdpa.flash(problem)
    note = "PyTorch's own copy; the package flash_attn is not installed"
    attention.remark = "; ".join(filter(None, [note, attention.remark]))
    return attention


def _fav3_package():
    """The package as its authors build it, or fa3-fwd, which leaves the backward pass
    out, and looks for its settings under a name that it does not install."""
    title = "FlashAttention-3"
    try:
        return _package("flash_attn_interface", title)
    except Refusal as missing:
        if importlib.util.find_spec("fa3_fwd_interface") is None:
            raise missing
    if importlib.util.find_spec("flash_attn_config") is None:
        sys.modules["flash_attn_config"] = importlib.import_module("fa3_fwd_config")
    return _package("fa3_fwd_interface", title)


def fav3(problem):
    package = _fav3_package()
    _refuse_common(problem, "FlashAttention-3")
    if problem.pattern.bias == "alibi":
        raise unsupported("FlashAttention-3 has no ALiBi")
    return _dense_or_packed(problem, package, _options(problem))


def fav4(problem):
    """What its arguments do not express becomes a score or mask program of its own."""
    title = "FlashAttention-4"
    # Without another package of this name, flash_attn is empty but for version 4.
    parent = importlib.util.find_spec("flash_attn")
    if not parent or not importlib.util.find_spec("flash_attn.cute"):
        raise unavailable(f"{title} is not installed (package flash-attn-4)")
    package = _package("flash_attn.cute", title)
    _refuse_common(problem, title, mods=True)
    if problem.queries == 0 or problem.keys == 0:
        raise unsupported(f"{title} takes no empty sequences")
    options = _options(problem)
    pattern = problem.pattern
    if pattern.bias:
        import flash4_mods

        options.update(flash4_mods.score_options(pattern, problem.captures))
    if pattern.prefix and not problem.is_decoding:
        import flash4_mods

        options.update(flash4_mods.prefix_options(problem))
    return _dense_or_packed(problem, package, options)


def _options(problem):
    """Keyword arguments that all versions have in common."""
    pattern = problem.pattern
    options = {"softmax_scale": problem.scale, "causal": pattern.causal}
    if pattern.window is not None:
        options["window_size"] = (pattern.window, 0)
    if pattern.softcap:
        options["softcap"] = pattern.softcap
    return options


def _first(result):
    """Version 4, and version 3 in some releases, give (out, lse)."""
    return result[0] if isinstance(result, tuple) else result


def _check_options(function, options):
    """Older releases know fewer parameters: softcap came with 2.6, for one."""
    known = inspect.signature(function).parameters
    for name in options:
        if name not in known:
            raise unsupported(f"the installed {function.__name__} takes no '{name}'")


def _determined(problem, function, options):
    """The options with what makes gradients the same on every run, where that is asked
    for; and why there are none then."""
    if not problem.deterministic:
        return options, ""
    if "deterministic" not in inspect.signature(function).parameters:
        name = function.__name__
        return options, f"the installed {name} takes no 'deterministic'"
    return {**options, "deterministic": True}, ""


def _dense_or_packed(problem, package, options):
    problem.refuse_cache("FlashAttention's function for whole tensors")
    if problem.pattern.documents:
        return _packed(problem, package, options)
    first, end = 0, problem.keys
    if problem.is_decoding:
        # The query is aligned to the last key: cut off what comes after it.
        first, end = problem.visible_keys()
        if problem.pattern.prefix and problem.queries > 1:
            raise unsupported("FlashAttention has no such mask for several queries")
    run = package.flash_attn_func
    _check_options(run, options)
    options, refusal = _determined(problem, run, options)

    def call(query, key, value):
        out = run(
            query.transpose(1, 2),
            key[:, :, first:end].transpose(1, 2),
            value[:, :, first:end].transpose(1, 2),
            **options,
        )
        return _first(out).transpose(1, 2)

    return Attention(call, backward_refusal=refusal)


def _packed(problem, package, options):
    offsets, longest = patterns.document_offsets(problem.captures["documents"])
    run = package.flash_attn_varlen_func
    options, refusal = _determined(problem, run, options)

    def call(query, key, value):
        out = run(
            query.transpose(1, 2)[0],
            key.transpose(1, 2)[0],
            value.transpose(1, 2)[0],
            cu_seqlens_q=offsets,
            cu_seqlens_k=offsets,
            max_seqlen_q=longest,
            max_seqlen_k=longest,
            **options,
        )
        return _first(out)[None].transpose(1, 2)

    return Attention(call, backward_refusal=refusal)


def fakv(problem):
    """FlashAttention-2's kernel for a cache."""
    title = "FlashAttention-2"
    package = _package("flash_attn", title)
    if problem.pages is not None and problem.pages["key"].shape[2] % 256:
        raise unsupported(f"{title} takes pages of multiples of 256 keys")
    return _cached(problem, package, "block_table")


def fakv3(problem):
    """FlashAttention-3's."""
    package = _fav3_package()
    if problem.pattern.bias == "alibi":
        raise unsupported("FlashAttention-3 has no ALiBi")
    return _cached(problem, package, "page_table")


def _cached(problem, package, table):
    """`table`: what the package calls a table of pages."""
    title = "FlashAttention's cache kernel"
    _refuse_common(problem, title)
    if not problem.is_decoding:
        raise unsupported(f"{title} is for decoding")
    run = getattr(package, "flash_attn_with_kvcache", None)
    if run is None:
        raise unavailable(f"{package.__name__} has no flash_attn_with_kvcache")
    options = _options(problem)
    if problem.pattern.bias == "alibi":
        options["alibi_slopes"] = problem.captures["slopes"]
    options["cache_seqlens"] = _cache_lengths(problem)
    if problem.pages is not None:
        options[table] = problem.pages["table"]
    _check_options(run, options)
    cache = problem.pages

    def call(query, key, value):
        if cache is not None:
            key, value = cache["key"], cache["value"]
        out = run(*(tensor.transpose(1, 2) for tensor in (query, key, value)), **options)
        return _first(out).transpose(1, 2)

    return Attention(call)


def _cache_lengths(problem):
    """Their causal mask and window are aligned to the last of so many keys."""
    import torch

    if problem.lengths is not None:
        return problem.lengths
    _, end = problem.visible_keys()
    size, device = (problem.batch,), problem.query.device
    return torch.full(size, end, dtype=torch.int32, device=device)
