"""Attention and its gradients by numpy in f64, by the definition. Programs are called with arrays of all positions."""

import numpy as np


def positions(batch, heads, queries, keys, query_offset=0):
    shape = ((batch, 1, 1, 1), (1, heads, 1, 1), (1, 1, queries, 1), (1, 1, 1, keys))
    b, h, q, kv = (np.arange(n).reshape(s) for n, s in zip((batch, heads, queries, keys), shape))
    return b, h, q + np.reshape(query_offset, (-1, 1, 1, 1)), kv


def repeated(x, heads):
    return np.repeat(x.astype(np.float64), heads // x.shape[1], axis=1)


class Attention:
    """out (f64), lse and gradients. `lengths`: keys of each batch."""

    def __init__(self, query, key, value, score=None, mask=None, scale=None, query_offset=0, lengths=None):
        self.kv_heads, heads = key.shape[1], query.shape[1]
        self.query, self.key, self.value = query.astype(np.float64), repeated(key, heads), repeated(value, heads)
        self.scale = query.shape[3] ** -0.5 if scale is None else scale
        at = positions(*query.shape[:3], key.shape[2], query_offset)
        self.apply = (lambda s: s) if score is None else (lambda s: score(s, *at))
        keep = np.ones((1, 1, 1, 1), bool) if mask is None else mask(*at)
        if lengths is not None:
            keep = keep & (at[3] < np.reshape(lengths, (-1, 1, 1, 1)))
        self.scores = self.scale * np.einsum("bhqd,bhkd->bhqk", self.query, self.key)
        # A row without keys is all -inf, whose out is 0.
        with np.errstate(all="ignore"):
            scores = np.where(keep, self.apply(self.scores), -np.inf)
            most = scores.max(-1, keepdims=True)
            weights = np.where(keep & np.isfinite(most), np.exp(scores - most), 0)
            total = weights.sum(-1, keepdims=True)
            self.lse = np.where(total > 0, most + np.log(total), -np.inf)[..., 0]
            self.weights = np.where(total > 0, weights / total, 0)
        self.out = np.einsum("bhqk,bhkd->bhqd", self.weights, self.value)

    def gradients(self, grad_out, grad_lse=0.0):
        """Those of query, key and value."""
        grad_out = grad_out.astype(np.float64)
        of_weights = np.einsum("bhqd,bhkd->bhqk", grad_out, self.value)
        mean = (self.weights * of_weights).sum(-1, keepdims=True) - np.reshape(grad_lse, (*np.shape(grad_lse), 1))
        step = 1e-5
        slope = (self.apply(self.scores + step) - self.apply(self.scores - step)) / (2 * step)
        of_scores = self.scale * self.weights * (of_weights - mean) * slope
        return (
            np.einsum("bhqk,bhkd->bhqd", of_scores, self.key),
            self._of_group(np.einsum("bhqk,bhqd->bhkd", of_scores, self.query)),
            self._of_group(np.einsum("bhqk,bhqd->bhkd", self.weights, grad_out)),
        )

    def _of_group(self, x):
        batch, heads, keys, channels = x.shape
        return x.reshape(batch, self.kv_heads, heads // self.kv_heads, keys, channels).sum(2)


def by_differences(loss, array, step=1e-3):
    """The gradient of loss(array), an element at a time."""
    gradient = np.zeros(array.shape)
    for at in np.ndindex(*array.shape):
        up, down = array.astype(np.float64), array.astype(np.float64)
        up[at] += step
        down[at] -= step
        gradient[at] = (loss(up) - loss(down)) / (2 * step)
    return gradient
