"""Attention by torch in f64, by the definition, with torch's gradients. Programs are called with all positions."""

import torch

torch.set_num_threads(1)  # more only wait for each other, at these sizes


def positions(batch, heads, queries, keys, device):
    """b, h, q and kv, each along a dimension of its own."""
    along = [[-1 if d == i else 1 for d in range(4)] for i in range(4)]
    return [torch.arange(n, device=device).reshape(d) for n, d in zip((batch, heads, queries, keys), along)]


def attention(query, key, value, score=None, mask=None, scale=None, query_offset=0):
    """(out, lse) in f64, of rows without keys 0 and -inf."""
    batch, heads, queries, channels = query.shape
    query, key, value = (x.double() for x in (query, key, value))
    key, value = (x.expand(batch, -1, -1, -1).repeat_interleave(heads // x.shape[1], 1) for x in (key, value))
    b, h, q, kv = positions(batch, heads, queries, key.shape[2], query.device)
    scores = query @ key.transpose(2, 3) * (channels**-0.5 if scale is None else scale)
    if score is not None:
        scores = score(scores, b, h, q + query_offset, kv)
    keep = torch.ones((), dtype=torch.bool, device=query.device)
    if mask is not None:
        keep = mask(b, h, q + query_offset, kv)
    keep = keep.expand(scores.shape)
    scores = scores.masked_fill(~keep, -float("inf"))
    is_empty = ~keep.any(-1)
    # A row of zeros instead of one without keys, whose gradient would be NaN.
    scores = scores.masked_fill(is_empty[..., None], 0)
    weights = scores.softmax(-1).masked_fill(is_empty[..., None], 0)
    lse = scores.logsumexp(-1).masked_fill(is_empty, -float("inf"))
    return weights @ value, lse


def leaf(x):
    """A copy in f64, with a gradient."""
    return x.detach().double().requires_grad_()


def error(got, expected):
    """The largest difference."""
    same = got.double() == expected.double()  # infinities
    return (got.double() - expected.double()).masked_fill(same, 0).abs().max().item()
