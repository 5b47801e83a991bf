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


def flash_attn_func(
    q, k, v, softmax_scale, causal=False, window_size=(-1, -1), softcap=0.0, alibi_slopes=None
):
    CALLS.append("dense")
    options = (softmax_scale, causal, window_size, softcap, alibi_slopes)
    return torch.stack([attend(*sequence, *options) for sequence in zip(q, k, v)])


def flash_attn_varlen_func(
    q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, softmax_scale, causal
):
    CALLS.append("packed")
    assert torch.equal(cu_seqlens_q, cu_seqlens_k) and cu_seqlens_q.dtype == torch.int32
    ends = cu_seqlens_q.tolist()
    assert max(b - a for a, b in zip(ends, ends[1:])) == max_seqlen_q == max_seqlen_k
    parts = [
        attend(q[a:b], k[a:b], v[a:b], softmax_scale, causal, (-1, -1), 0, None)
        for a, b in zip(ends, ends[1:])
    ]
    return torch.cat(parts)


def flash_attn_with_kvcache(q, k, v, cache_seqlens, softmax_scale, **options):
    CALLS.append("cache")
    rows = [
        flash_attn_func(q[b : b + 1], k[b : b + 1, :n], v[b : b + 1, :n], softmax_scale, **options)
        for b, n in enumerate(cache_seqlens.tolist())
    ]
    CALLS.pop()
    return torch.cat(rows)


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


def main():
    torch.manual_seed(0)
    package = types.SimpleNamespace(
        flash_attn_func=flash_attn_func,
        flash_attn_varlen_func=flash_attn_varlen_func,
        flash_attn_with_kvcache=flash_attn_with_kvcache,
    )
    flash._package = lambda name, title: package
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
    print(agreed, "calls agree")


main()
