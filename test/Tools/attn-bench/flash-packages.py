# REQUIRES: torch
# RUN: %python %s %source/bench/worker | FileCheck %s
# CHECK: 37 calls agree
"""What bench/worker/flash.py asks the FlashAttention packages for, where they are not
installed: stand-ins compute by the packages' documentation (masks aligned to the last
key, layout (batch, position, head, channel)), and the results must be those of the
patterns' definition."""

import math
import sys
import types

sys.path.insert(0, sys.argv[1])

import torch

import flash
import pattern as patterns
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
        assert cache_seqlens.dtype == torch.int32 and cache_seqlens.shape == (len(q),)
        options = (softmax_scale, causal, window_size, softcap, alibi_slopes)
        rows = [
            dense(q[b : b + 1], k_cache[b : b + 1, :n], v_cache[b : b + 1, :n], *options)
            for b, n in enumerate(cache_seqlens.tolist())
        ]
        CALLS.append("cache")
        return torch.cat(rows)


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
    problem = types.SimpleNamespace(
        device="cuda",
        pattern=patterns.parse(name),
        offset=offset,
        scale=0.25,
        query=tensor(heads, queries),
        key=tensor(kv_heads, keys),
        value=tensor(kv_heads, keys),
        captures={"slopes": slopes, "documents": documents},
        batch=batch,
        queries=queries,
        keys=keys,
        group=2,
        is_decoding=queries == 1,
    )
    return problem


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
    problem.group = 1
    functional = torch.nn.functional
    original = functional.scaled_dot_product_attention
    functional.scaled_dot_product_attention = nested_attention
    out = sdpa.efficient(problem).call(problem.query, problem.key, problem.value)
    functional.scaled_dot_product_attention = original
    torch.testing.assert_close(out, wanted, msg="nested documents")


def main():
    torch.manual_seed(0)
    check_nested_documents()
    sys.modules["flash_attn"] = FlashAttention2
    sys.modules["flash_attn_interface"] = FlashAttention3
    names = ["noop", "causal", "alibi", "sliding_window_40", "sliding_window", "softcap"]
    names += ["softcap_sliding_window_40"]
    agreed = 0
    for backend in (flash.fav2, flash.fav3, flash.fakv):
        cases = [(name, 1, 100, 50) for name in names]
        if backend is not flash.fakv:
            cases += [(name, 70, 70, 0) for name in names]
            cases += [("document_mask", 100, 100, 0), ("noop", 30, 50, 0)]
        for name, queries, keys, offset in cases:
            batch = 1 if name == "document_mask" else 2
            problem = problem_of(name, queries, keys, offset, batch)
            if backend is flash.fav3 and name == "alibi":
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
    print(agreed, "calls agree")


main()
