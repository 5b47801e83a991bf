# REQUIRES: torch
# RUN: %python %s %source/bench/worker | FileCheck %s
# CHECK: 142 calls agree
"""What bench/worker/flash.py asks the FlashAttention packages for, where they are not
installed: stand-ins compute by the packages' documentation (masks aligned to the last
key, layout (batch, position, head, channel)), and the results must be those of the
patterns' definition."""

import contextlib
import dataclasses
import importlib.machinery
import io
import itertools
import math
import sys
import types

sys.path.insert(0, sys.argv[1])

import torch

import flash
import pattern as patterns
import problem as problems
import refusal
import sdpa

CALLS = []


def attend(q, k, v, scale, causal, window, softcap, slopes):
    """One sequence: (position, head, channel)."""
    group = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    scores = torch.einsum("qhd,khd->hqk", q, k) * scale
    if softcap:
        scores = softcap * torch.tanh(scores / softcap)
    shift = k.shape[0] - q.shape[0]
    i = torch.arange(q.shape[0])[:, None] + shift
    j = torch.arange(k.shape[0])[None, :]
    if slopes is not None:
        scores = scores - slopes[:, None, None] * (i - j).abs()
    keep = torch.ones(q.shape[0], k.shape[0], dtype=torch.bool)
    if causal:
        keep &= j <= i
    left, right = window
    keep &= (j >= i - left) if left >= 0 else True
    keep &= (j <= i + right) if right >= 0 else True
    weights = torch.softmax(scores.masked_fill(~keep, -math.inf), -1)
    return torch.einsum("hqk,khd->qhd", weights, v)


def check_inputs(q, k, v, dims, slopes):
    """What the packages' own C++ insists on."""
    assert q.dim() == k.dim() == v.dim() == dims
    assert all(tensor.stride(-1) == 1 for tensor in (q, k, v))
    assert q.shape[-2] % k.shape[-2] == 0 and k.shape == v.shape
    assert q.shape[-1] == k.shape[-1] <= 256
    if slopes is not None:
        assert slopes.dtype == torch.float32 and slopes.shape == (q.shape[-2],)


def dense(q, k, v, softmax_scale, causal, window_size, softcap, alibi_slopes=None):
    CALLS.append("dense")
    check_inputs(q, k, v, 4, alibi_slopes)
    assert q.shape[0] == k.shape[0]
    options = (softmax_scale, causal, window_size, softcap, alibi_slopes)
    return torch.stack([attend(*sequence, *options) for sequence in zip(q, k, v)])


def packed(q, k, v, offsets_q, offsets_k, longest_q, longest_k, softmax_scale, causal):
    CALLS.append("packed")
    check_inputs(q, k, v, 3, None)
    assert torch.equal(offsets_q, offsets_k) and offsets_q.dtype == torch.int32
    ends = offsets_q.tolist()
    assert ends[0] == 0 and ends[-1] == q.shape[0]
    assert max(b - a for a, b in zip(ends, ends[1:])) == longest_q == longest_k
    parts = [
        attend(q[a:b], k[a:b], v[a:b], softmax_scale, causal, (-1, -1), 0, None)
        for a, b in zip(ends, ends[1:])
    ]
    return torch.cat(parts)


def cached(q, k_cache, v_cache, lengths, table, options):
    assert lengths.dtype == torch.int32 and lengths.shape == (len(q),)
    if table is not None:
        assert table.dtype == torch.int32 and len(table) == len(q)
        gather = lambda cache: cache[table.long()].flatten(1, 2)  # noqa: E731
        k_cache, v_cache = gather(k_cache), gather(v_cache)
    rows = [
        dense(q[b : b + 1], k_cache[b : b + 1, :n], v_cache[b : b + 1, :n], *options)
        for b, n in enumerate(lengths.tolist())
    ]
    CALLS.append("cache")
    return torch.cat(rows)


class FlashAttention2:
    """The signatures of flash_attn 2.8."""

    @staticmethod
    def flash_attn_func(
        q,
        k,
        v,
        dropout_p=0.0,
        softmax_scale=None,
        causal=False,
        window_size=(-1, -1),
        softcap=0.0,
        alibi_slopes=None,
        deterministic=False,
        return_attn_probs=False,
    ):
        assert dropout_p == 0.0 and not return_attn_probs
        return dense(q, k, v, softmax_scale, causal, window_size, softcap, alibi_slopes)

    @staticmethod
    def flash_attn_varlen_func(
        q,
        k,
        v,
        cu_seqlens_q,
        cu_seqlens_k,
        max_seqlen_q,
        max_seqlen_k,
        dropout_p=0.0,
        softmax_scale=None,
        causal=False,
        window_size=(-1, -1),
        softcap=0.0,
        alibi_slopes=None,
        deterministic=False,
        return_attn_probs=False,
        block_table=None,
    ):
        assert dropout_p == 0.0 and window_size == (-1, -1) and not softcap
        offsets = (cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k)
        return packed(q, k, v, *offsets, softmax_scale, causal)

    @staticmethod
    def flash_attn_with_kvcache(
        q,
        k_cache,
        v_cache,
        k=None,
        v=None,
        rotary_cos=None,
        rotary_sin=None,
        cache_seqlens=None,
        cache_batch_idx=None,
        cache_leftpad=None,
        block_table=None,
        softmax_scale=None,
        causal=False,
        window_size=(-1, -1),
        softcap=0.0,
        rotary_interleaved=True,
        alibi_slopes=None,
        num_splits=0,
        return_softmax_lse=False,
    ):
        assert k is None and v is None, "would be appended to the cache"
        assert block_table is None or k_cache.shape[1] % 256 == 0
        options = (softmax_scale, causal, window_size, softcap, alibi_slopes)
        return cached(q, k_cache, v_cache, cache_seqlens, block_table, options)


class FlashAttention3:
    """The signatures of flash_attn_interface; some releases give (out, lse)."""

    @staticmethod
    def flash_attn_func(
        q,
        k,
        v,
        softmax_scale=None,
        causal=False,
        qv=None,
        q_descale=None,
        k_descale=None,
        v_descale=None,
        window_size=(-1, -1),
        attention_chunk=0,
        softcap=0.0,
        num_splits=1,
        pack_gqa=None,
        deterministic=False,
        sm_margin=0,
    ):
        out = dense(q, k, v, softmax_scale, causal, window_size, softcap)
        return out, torch.zeros(())

    @staticmethod
    def flash_attn_varlen_func(
        q,
        k,
        v,
        cu_seqlens_q,
        cu_seqlens_k,
        max_seqlen_q,
        max_seqlen_k,
        seqused_q=None,
        seqused_k=None,
        softmax_scale=None,
        causal=False,
        qv=None,
        q_descale=None,
        k_descale=None,
        v_descale=None,
        window_size=(-1, -1),
        attention_chunk=0,
        softcap=0.0,
        num_splits=1,
        pack_gqa=None,
        deterministic=False,
        sm_margin=0,
    ):
        offsets = (cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k)
        return packed(q, k, v, *offsets, softmax_scale, causal)


    @staticmethod
    def flash_attn_with_kvcache(
        q,
        k_cache,
        v_cache,
        k=None,
        v=None,
        qv=None,
        rotary_cos=None,
        rotary_sin=None,
        cache_seqlens=None,
        cache_batch_idx=None,
        cache_leftpad=None,
        page_table=None,
        cu_seqlens_q=None,
        cu_seqlens_k_new=None,
        max_seqlen_q=None,
        softmax_scale=None,
        causal=False,
        window_size=(-1, -1),
        attention_chunk=0,
        softcap=0.0,
        num_splits=0,
        pack_gqa=None,
        sm_margin=0,
        return_softmax_lse=False,
    ):
        assert k is None and v is None, "would be appended to the cache"
        options = (softmax_scale, causal, window_size, softcap, None)
        return cached(q, k_cache, v_cache, cache_seqlens, page_table, options)


def jit(function):
    """CUTLASS's decorator; the packages hash such functions by their source."""
    function.is_compiled = True
    return function


def dense4(q, k, v, softmax_scale, causal, window_size, softcap, score_mod, mask_mod, aux):
    """FlashAttention-4 calls programs with short vectors of scores and positions: here of
    one pair."""
    if score_mod is None and mask_mod is None:
        window = tuple(-1 if side is None else side for side in window_size)
        return dense(q, k, v, softmax_scale, causal, window, softcap)
    assert tuple(window_size) == (None, None) and not softcap
    for mod in filter(None, (score_mod, mask_mod)):
        assert mod.is_compiled
    CALLS.append("mods")
    group = q.shape[2] // k.shape[2]
    k, v = k.repeat_interleave(group, 2), v.repeat_interleave(group, 2)
    scores = torch.einsum("bqhd,bkhd->bhqk", q, k) * softmax_scale
    shift = k.shape[1] - q.shape[1]
    i, j = torch.arange(q.shape[1]), torch.arange(k.shape[1])
    if score_mod:
        flat = scores.flatten()
        for n, (b, h, x, y) in enumerate(itertools.product(*map(range, scores.shape))):
            places = [torch.tensor([value], dtype=torch.int32) for value in (b, h)]
            pair = {"q_idx": torch.tensor([x]), "kv_idx": torch.tensor([y])}
            score = flat[n : n + 1].clone()
            more = {"seqlen_info": None, "aux_tensors": aux or ()}
            flat[n] = score_mod(score, *places, **pair, **more)
        scores = flat.reshape(scores.shape)
    keep = torch.ones(scores.shape[-2:], dtype=torch.bool)
    if causal:
        keep &= j[None, :] <= i[:, None] + shift
    if mask_mod:
        assert not causal
        keep &= mask_mod(None, None, i[:, None], j[None, :], None, aux)
    weights = torch.softmax(scores.masked_fill(~keep, -math.inf), -1)
    return torch.einsum("bhqk,bkhd->bqhd", weights, v)


class FlashAttention4:
    """The signatures of flash_attn.cute, which give (out, lse)."""

    @staticmethod
    def flash_attn_func(
        q,
        k,
        v,
        qv=None,
        gather_kv_indices=None,
        softmax_scale=None,
        causal=False,
        window_size=(None, None),
        learnable_sink=None,
        softcap=0.0,
        num_splits=1,
        pack_gqa=None,
        deterministic=False,
        score_mod=None,
        score_mod_bwd=None,
        mask_mod=None,
        aux_tensors=None,
        aux_scalars=None,
        block_sparse_tensors=None,
        block_sparse_tensors_bwd=None,
        return_lse=False,
    ):
        assert (score_mod is None) == (score_mod_bwd is None)
        assert (mask_mod is None) == (block_sparse_tensors is None)
        if score_mod_bwd:
            flow = torch.ones(1)
            more = {"q_idx": 0, "kv_idx": 0, "seqlen_info": None, "aux_tensors": ()}
            assert score_mod_bwd(flow, None, 0, 0, **more) is flow
        options = (softmax_scale, causal, window_size, softcap)
        return dense4(q, k, v, *options, score_mod, mask_mod, aux_tensors), None

    @staticmethod
    def flash_attn_varlen_func(
        q,
        k,
        v,
        qv=None,
        cu_seqlens_q=None,
        cu_seqlens_k=None,
        max_seqlen_q=None,
        max_seqlen_k=None,
        softmax_scale=None,
        causal=False,
        window_size=(None, None),
        softcap=0.0,
        score_mod=None,
        mask_mod=None,
    ):
        assert window_size == (None, None) and not softcap
        offsets = (cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k)
        return packed(q, k, v, *offsets, softmax_scale, causal), None


def compute_block_sparsity(
    tile_m, tile_n, batch_size, num_heads, seqlen_q, seqlen_k, mask_mod, aux_tensors, device
):
    assert (tile_m, tile_n, batch_size, num_heads) == (128, 128, 1, 1)
    assert mask_mod.is_compiled and aux_tensors is None and device == "cuda"
    return types.SimpleNamespace(mask_block_cnt=None)


def install_flash_attention4():
    """flash_attn.cute, and the parts of CUTLASS's DSL that programs are written with."""

    def module(name, **parts):
        made = types.ModuleType(name)
        made.__dict__.update(parts)
        made.__path__ = []
        made.__spec__ = importlib.machinery.ModuleSpec(name, None)
        sys.modules[name] = made
        parent, _, last = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], last, made)
        return made

    functions = {
        name: getattr(FlashAttention4, name)
        for name in ("flash_attn_func", "flash_attn_varlen_func")
    }
    module("flash_attn")
    module("flash_attn.cute", **functions)
    module("flash_attn.cute.utils", scalar_to_ssa=lambda value, dtype: value)
    module(
        "flash_attn.cute.compute_block_sparsity",
        compute_block_sparsity=compute_block_sparsity,
    )
    module("cutlass", Float32=torch.float32, Int32=torch.int32)
    module("cutlass.cute", jit=jit)


def check_fa3_fwd():
    """fa3-fwd alone: under its own names; what its build leaves out is no fault."""
    sys.modules.pop("flash_attn_interface", None)
    forward = types.ModuleType("fa3_fwd_interface")
    forward.flash_attn_func = FlashAttention3.flash_attn_func
    config = types.ModuleType("fa3_fwd_config")
    for made in (forward, config):
        made.__spec__ = importlib.machinery.ModuleSpec(made.__name__, None)
        sys.modules[made.__name__] = made
    problem = problem_of("causal", 70, 70, 0)
    out = flash.fav3(problem).call(problem.query, problem.key, problem.value)
    torch.testing.assert_close(out, expected(problem), msg="fa3-fwd")
    assert sys.modules["flash_attn_config"] is config
    for text in (
        "This flash attention build does not support backward.",
        "This flash attention build does not support local attention.",
        "This flash attention build does not support paged KV.",
        "Flash-Attention was built with backward disabled",
    ):
        found = refusal.refusal_for(RuntimeError(text + "\nException raised from run"))
        assert (found.kind, found.reason) == ("unsupported", text)
    found = refusal.refusal_for(AssertionError("head_dim 300 is not supported on SM90."))
    assert found.kind == "unsupported"
    for error in (
        RuntimeError("CUDA error: operation not supported"),
        RuntimeError("cuIpcOpenMemHandle: operation not supported"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        KeyError("does not support"),
    ):
        with contextlib.redirect_stderr(io.StringIO()):
            assert refusal.refusal_for(error).kind == "failed", error


def check_flash_attention4():
    """The number of calls that agree."""
    install_flash_attention4()
    names = ["noop", "causal", "sliding_window_40", "softcap", "alibi", "rel", "head_bias"]
    names += ["prefix_lm", "softcap_sliding_window_40"]
    cases = [(name, 1, 100, 50) for name in names] + [(name, 30, 30, 0) for name in names]
    cases += [("document_mask", 100, 100, 0), ("noop", 30, 50, 0)]
    for name, queries, keys, offset in cases:
        problem = problem_of(name, queries, keys, offset, 1 + (name != "document_mask"))
        if problem.pattern.prefix:
            problem.pattern = dataclasses.replace(problem.pattern, prefix=7)
        out = flash.fav4(problem).call(problem.query, problem.key, problem.value)
        torch.testing.assert_close(out, expected(problem), msg=f"fav4 {name}")
    return len(cases)


class OldFlashAttention2(FlashAttention2):
    """As before 2.6: without softcap."""

    @staticmethod
    def flash_attn_func(
        q,
        k,
        v,
        dropout_p=0.0,
        softmax_scale=None,
        causal=False,
        window_size=(-1, -1),
        alibi_slopes=None,
        deterministic=False,
        return_attn_probs=False,
    ):
        return dense(q, k, v, softmax_scale, causal, window_size, 0.0, alibi_slopes)


def problem_of(name, queries, keys, offset, batch=2):
    heads, kv_heads, dim = 4, 2, 16

    def tensor(count, length):
        return torch.randn(batch, length, count, dim, dtype=torch.float64).transpose(1, 2)

    documents = torch.tensor([0] * 1 + [1] * 30 + [2] * (keys - 31), dtype=torch.int32)
    slopes = torch.tensor([2.0 ** (-8 * (h + 1) / heads) for h in range(heads)])
    return Made(
        device="cuda",
        pattern=patterns.parse(name),
        offset=offset,
        scale=0.25,
        query=tensor(heads, queries),
        key=tensor(kv_heads, keys),
        value=tensor(kv_heads, keys),
        captures={"slopes": slopes, "documents": documents, "bias": 2 * slopes},
        lengths=None,
        pages=None,
        is_ragged=False,
        deterministic=False,
    )


class Made(problems.Problem):
    """One whose tensors are made here."""

    def __init__(self, **fields):
        self.__dict__.update(fields)


def ragged_problem(name, queries, rows=0):
    """Sequences of 50 and 97 keys with room for 100; in pages of so many rows."""
    problem = problem_of(name, queries, 100, 0)
    problem.lengths = torch.tensor([50, 97], dtype=torch.int32)
    problem.is_ragged = True
    if not rows:
        return problem
    columns = -(-100 // rows)
    table = torch.randperm(2 * columns).to(torch.int32).reshape(2, columns)
    problem.pages = {"table": table}
    for part in ("key", "value"):
        whole = getattr(problem, part)
        pages = torch.randn(2 * columns, rows, 2, 16, dtype=whole.dtype).transpose(1, 2)
        for b, page in itertools.product(range(2), range(columns)):
            piece = whole[b, :, page * rows : (page + 1) * rows]
            pages[table[b, page], :, : piece.shape[1]] = piece
        problem.pages[part] = pages
    # What lies beside the pages is not to be read.
    problem.key, problem.value = problem.key * math.nan, problem.value * math.nan
    return problem


def each_sequence(problem, key, value):
    """Every sequence by itself, with the keys that it has."""
    for b, count in enumerate(problem.lengths.tolist()):
        part = problem_of(problem.pattern.name, 1, count, count - problem.queries, 1)
        part.query = problem.query[b : b + 1]
        part.key, part.value = key[b : b + 1, :, :count], value[b : b + 1, :, :count]
        yield part


def check_ragged():
    """The number of calls that agree."""
    agreed = 0
    names = ["noop", "causal", "sliding_window_40", "softcap", "alibi"]
    pages = {flash.fakv: (0, 256), flash.fakv3: (0, 1, 16, 64)}
    for backend, name, queries in itertools.product(pages, names, (1, 4)):
        if backend is flash.fakv3 and name == "alibi":
            continue
        for rows in pages[backend]:
            torch.manual_seed(1)
            whole = ragged_problem(name, queries)
            parts = each_sequence(whole, whole.key, whole.value)
            wanted = torch.cat([expected(part) for part in parts])
            torch.manual_seed(1)
            problem = ragged_problem(name, queries, rows)
            out = backend(problem).call(problem.query, problem.key, problem.value)
            torch.testing.assert_close(out, wanted, msg=f"{backend} {name} {rows}")
            agreed += 1
    for backend, rows, kind in (
        (flash.fakv, 16, "unsupported"),
        (flash.fav2, 0, "unsupported"),
        (flash.fav3, 0, "unsupported"),
        (sdpa.efficient, 0, "unsupported"),
    ):
        try:
            backend(ragged_problem("causal", 1, rows))
        except refusal.Refusal as reason:
            assert reason.kind == kind, reason
        else:
            raise AssertionError(f"{backend} takes lengths and pages of {rows}")
    return agreed


def check_ragged_mods():
    """What FlexAttention is asked for: masks and scores that know each sequence's keys."""
    q, kv = torch.arange(4)[:, None], torch.arange(100)[None, :]
    for name in ("noop", "causal", "sliding_window_40", "prefix_lm", "alibi", "rel"):
        problem = ragged_problem(name, 4)
        offset = problem.lengths - problem.queries
        arguments = (problem.pattern, offset, problem.captures)
        mask_mod = patterns.mask_mod(*arguments, problem.lengths)
        score_mod = patterns.score_mod(*arguments)
        for b, part in enumerate(each_sequence(problem, problem.key, problem.value)):
            only = (part.pattern, part.offset, part.captures)
            alone, keys = patterns.mask_mod(*only), part.key.shape[2]
            kept = mask_mod(b, 0, q, kv).expand(4, 100)
            assert not kept[:, keys:].any(), name
            wanted = alone(0, 0, q, kv[:, :keys]) if alone else torch.ones(4, keys) > 0
            assert torch.equal(kept[:, :keys], wanted), name
            if score_mod:
                zeros = torch.zeros(4, keys)
                scores = score_mod(zeros, b, 1, q, kv[:, :keys])
                wanted = patterns.score_mod(*only)(zeros, 0, 1, q, kv[:, :keys])
                torch.testing.assert_close(scores, wanted, msg=name)


def expected(problem):
    """By the definition, from the mask and score programs."""
    q = torch.arange(problem.queries)[:, None]
    kv = torch.arange(problem.keys)[None, :]
    key, value = (t.repeat_interleave(2, 1) for t in (problem.key, problem.value))
    scores = problem.query @ key.transpose(-1, -2) * problem.scale
    arguments = (problem.pattern, problem.offset, problem.captures)
    score_mod, mask_mod = patterns.score_mod(*arguments), patterns.mask_mod(*arguments)
    for h in range(4):
        if score_mod:
            scores[:, h] = score_mod(scores[:, h], 0, h, q, kv)
    if mask_mod:
        scores = scores.masked_fill(~mask_mod(0, 0, q, kv), -math.inf)
    return torch.softmax(scores, -1) @ value


def nested_attention(query, key, value, is_causal, scale):
    """SDPA on nested tensors, which PyTorch has only on a GPU: each sequence alone."""
    assert all(tensor.is_nested for tensor in (query, key, value)) and is_causal
    parts = [tensor.transpose(1, 2).unbind() for tensor in (query, key, value)]
    outs = [attend(q, k, v, scale, True, (-1, -1), 0, None) for q, k, v in zip(*parts)]
    return torch.nested.nested_tensor(outs, layout=torch.jagged).transpose(1, 2)


def check_nested_documents():
    problem = problem_of("document_mask", 100, 100, 0, batch=1)
    wanted = expected(problem)
    problem.key, problem.value = (
        tensor.repeat_interleave(2, 1) for tensor in (problem.key, problem.value)
    )
    functional = torch.nn.functional
    original = functional.scaled_dot_product_attention
    functional.scaled_dot_product_attention = nested_attention
    out = sdpa.efficient(problem).call(problem.query, problem.key, problem.value)
    functional.scaled_dot_product_attention = original
    torch.testing.assert_close(out, wanted, msg="nested documents")


def ungrouped_attention(query, key, value, scale, is_causal, enable_gqa=False):
    """SDPA with a kernel that takes no grouped heads."""
    if enable_gqa:
        raise RuntimeError("No available kernel. Aborting execution.")
    assert is_causal and key.shape[1] == query.shape[1]
    scores = query @ key.transpose(-1, -2) * scale
    keep = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
    return torch.softmax(scores.masked_fill(~keep, -math.inf), -1) @ value


def check_gradients_of_repeated_heads():
    """K and V are repeated, and their gradients summed over a group."""
    problem = problem_of("causal", 50, 50, 0)
    leaves = [problem.query, problem.key, problem.value]
    leaves = [tensor.clone().requires_grad_() for tensor in leaves]
    functional = torch.nn.functional
    original = functional.scaled_dot_product_attention
    functional.scaled_dot_product_attention = ungrouped_attention
    attention = sdpa.efficient(problem)
    out = attention.call(*leaves)
    with torch.no_grad():
        torch.testing.assert_close(attention.call(*(t.detach() for t in leaves)), out)
    functional.scaled_dot_product_attention = original
    grad_out = torch.randn_like(out)
    gradients = torch.autograd.grad(out, leaves, grad_out)
    problem.query, problem.key, problem.value = leaves
    wanted = torch.autograd.grad(expected(problem), leaves, grad_out)
    for got, want in zip(gradients, wanted):
        torch.testing.assert_close(got, want, msg="gradients of repeated heads")


def main():
    torch.manual_seed(0)
    check_nested_documents()
    check_gradients_of_repeated_heads()
    sys.modules["flash_attn"] = FlashAttention2
    sys.modules["flash_attn_interface"] = FlashAttention3
    names = ["noop", "causal", "alibi", "sliding_window_40", "sliding_window", "softcap"]
    names += ["softcap_sliding_window_40"]
    agreed = 0
    for backend in (flash.fav2, flash.fav3, flash.fakv, flash.fakv3):
        cases = [(name, queries, 100, 50) for name in names for queries in (1, 4)]
        if backend not in (flash.fakv, flash.fakv3):
            cases += [(name, 70, 70, 0) for name in names]
            cases += [("document_mask", 100, 100, 0), ("noop", 30, 50, 0)]
        for name, queries, keys, offset in cases:
            batch = 1 if name == "document_mask" else 2
            problem = problem_of(name, queries, keys, offset, batch)
            if backend in (flash.fav3, flash.fakv3) and name == "alibi":
                continue
            attention = backend(problem)
            out = attention.call(problem.query, problem.key, problem.value)
            torch.testing.assert_close(out, expected(problem), msg=f"{backend} {name}")
            agreed += 1
    assert set(CALLS) == {"dense", "packed", "cache"}
    for backend, name, queries in (
        (flash.fav2, "rel", 70),
        (flash.fav2, "prefix_lm", 70),
        (flash.fav2, "causal", 30),
        (flash.fav3, "alibi", 70),
        (flash.fakv, "causal", 70),
        (flash.fakv3, "alibi", 1),
    ):
        try:
            backend(problem_of(name, queries, 70, 0))
        except refusal.Refusal as reason:
            assert reason.kind == "unsupported", reason
        else:
            raise AssertionError(f"{backend} takes {name}")
    sys.modules["flash_attn"] = OldFlashAttention2
    flash.fav2(problem_of("alibi", 70, 70, 0))
    try:
        flash.fav2(problem_of("softcap", 70, 70, 0))
    except refusal.Refusal as reason:
        assert str(reason) == "the installed flash_attn_func takes no 'softcap'", reason
    else:
        raise AssertionError("takes a softcap that the package does not know")
    agreed += check_ragged()
    check_ragged_mods()
    check_fa3_fwd()
    agreed += 1 + check_flash_attention4()
    try:
        flash.fav4(problem_of("causal", 30, 70, 0))
    except refusal.Refusal as reason:
        assert reason.kind == "unsupported", reason
    else:
        raise AssertionError("takes a causal mask of unequal lengths")
    print(agreed, "calls agree")


main()
