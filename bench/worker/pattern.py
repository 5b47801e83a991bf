"""The named patterns of configs/mods, as PyTorch's attention functions see them.

A pattern is a handful of facts (causal, window, prefix, ...), from which each
backend takes what its interface can say: SDPA a dense bias, FlexAttention a
score_mod and a mask_mod, FlashAttention its parameters.
"""

import math
import re
from dataclasses import dataclass

from refusal import unsupported


@dataclass(frozen=True)
class Pattern:
    """What a pattern adds to plain attention. Positions are absolute ones."""

    name: str
    causal: bool = False
    window: int | None = None  # a query sees itself and so many keys before it
    prefix: int = 0  # so many first keys are seen by every query
    softcap: float = 0.0
    bias: str = ""  # rel, head_bias or alibi
    documents: bool = False

    @property
    def is_masked(self):
        return self.causal or self.documents


_FIXED = {
    "noop": {},
    "causal": {"causal": True},
    "rel": {"bias": "rel"},
    "head_bias": {"bias": "head_bias"},
    "alibi": {"causal": True, "bias": "alibi"},
    "sliding_window": {"causal": True, "window": 512},
    "prefix_lm": {"causal": True, "prefix": 512},
    "softcap": {"causal": True, "softcap": 50.0},
    "document_mask": {"causal": True, "documents": True},
}


def parse(name):
    """Raises Refusal for a mod that only the compiler can read."""
    if name in _FIXED:
        return Pattern(name, **_FIXED[name])
    found = re.fullmatch(r"(softcap_)?sliding_window_(\d+)", name)
    if not found:
        raise unsupported("PyTorch's backends know the named patterns, not a mod file")
    softcap = 50.0 if found[1] else 0.0
    # sliding_window_N sees N keys, itself among them; sliding_window 513.
    return Pattern(name, causal=True, window=int(found[2]) - 1, softcap=softcap)


def visible_keys(pattern, position, queries, keys):
    """The range of keys that any of some queries sees, the first at `position`."""
    if not pattern.causal:
        return 0, keys
    end = min(keys, max(position + queries, pattern.prefix))
    begin = 0 if pattern.window is None else max(0, position - pattern.window)
    return begin, end


def kept(pattern, q, kv):
    """Whether the mask keeps a pair, for tensors or traced indices."""
    keep = q >= kv
    if pattern.window is not None:
        keep = keep & (q - kv <= pattern.window)
    if pattern.prefix:
        keep = keep | (kv < pattern.prefix)
    return keep


def mask_mod(pattern, offset, captures, lengths=None):
    """FlexAttention's mask_mod, or None. With `lengths` sequence b has so many keys, and
    its queries begin at offset[b]."""
    if lengths is not None:

        def present(b, h, q, kv):
            keep = kv < lengths[b]
            return keep & kept(pattern, q + offset[b], kv) if pattern.causal else keep

        return present
    if not pattern.is_masked:
        return None
    if pattern.documents:
        documents = captures["documents"]

        def same_document(b, h, q, kv):
            return (q >= kv) & (documents[q] == documents[kv])

        return same_document
    return lambda b, h, q, kv: kept(pattern, q + offset, kv)


def score_mod(pattern, offset, captures):
    """FlexAttention's score_mod, or None. tanh is the exact one. `offset`: a number, or
    one for each sequence."""
    import torch

    def position(b, q):
        return q + (offset if isinstance(offset, int) else offset[b])

    if pattern.softcap:
        cap = pattern.softcap
        return lambda score, b, h, q, kv: cap * torch.tanh(score / cap)
    if pattern.bias == "rel":
        return lambda score, b, h, q, kv: score + (position(b, q) - kv)
    if pattern.bias == "head_bias":
        table = captures["bias"]
        return lambda score, b, h, q, kv: score + table[h]
    if pattern.bias == "alibi":
        slopes = captures["slopes"]
        return lambda score, b, h, q, kv: score + (kv - position(b, q)) * slopes[h]
    return None


def dense_bias(pattern, first_query, queries, first_key, keys, captures, dtype, device):
    """A bias (1, 1 or H, queries, keys) that says the same to SDPA, or None if there
    is nothing to say. Softmax does not see a constant added to a row: biases are
    shifted so that they round least where the probability is large. Rows are
    padded to 16 elements, or SDPA would copy the bias at each call."""
    import torch

    if not pattern.is_masked and not pattern.bias:
        return None
    q = torch.arange(first_query, first_query + queries, device=device)[:, None]
    kv = torch.arange(first_key, first_key + keys, device=device)[None, :]
    heads = len(captures["slopes"]) if pattern.bias == "alibi" else 1
    heads = len(captures["bias"]) if pattern.bias == "head_bias" else heads
    padded = (keys + 15) // 16 * 16
    bias = torch.empty((1, heads, queries, padded), dtype=dtype, device=device)
    bias = bias[..., :keys]
    for head in range(heads):
        bias[0, head] = _bias_of_head(pattern, head, q, kv, captures)
    if pattern.causal:
        bias.masked_fill_(~kept(pattern, q, kv), -math.inf)
    return bias


def _bias_of_head(pattern, head, q, kv, captures):
    if pattern.bias == "rel":
        return (-kv).float()
    if pattern.bias == "head_bias":
        return captures["bias"][head]
    if pattern.bias == "alibi":
        return (kv - q) * captures["slopes"][head]
    return 0.0


def document_offsets(documents):
    """Where each document begins in the folded sequence, and the end (int32)."""
    import torch

    _, lengths = torch.unique_consecutive(documents, return_counts=True)
    zero = torch.zeros(1, dtype=torch.int64, device=documents.device)
    return torch.cat([zero, lengths.cumsum(0)]).to(torch.int32), int(lengths.max())
