"""Which programs a call runs: its score_mod and block mask, or a Mod, as one mod and what that captures."""

import torch

from .. import _attention
from .._library import Error
from ..mod import Mod
from .block_mask import seen


class Programs:
    """A mod, the values of its captures in its order, and where lists of tiles are kept."""

    __slots__ = ("mod", "values", "of_mask")

    def __init__(self, mod, values, of_mask):
        self.mod, self.values, self.of_mask = mod, values, of_mask


def programs_of(score_mod, block_mask, query, key, query_offset, lengths, has_other_lengths, mask_mod=None):
    """Of a call of flex_attention(); `mask_mod` instead of a block mask."""
    of_mask, mod = None, None
    if isinstance(score_mod, Mod):
        if block_mask is not None:
            raise Error("expects a Mod, which may have a mask, or a block_mask, got both")
        mod, score_mod = score_mod, None
    elif score_mod is not None and not callable(score_mod):
        raise Error(f"expects 'score_mod' to be a function or an attn.Mod, got '{type(score_mod).__name__}'")
    if block_mask is not None:
        mask = seen(block_mask, query, key, has_other_lengths)
        mask_mod, of_mask = mask.mask_mod, mask.of_mask
    own = mod.values if mod is not None else None
    mod, values = _attention._mod_of(score_mod, mask_mod, mod, query_offset, lengths)
    values = own if own is not None else values
    in_order = []
    for info in mod.captures:
        value = query_offset if info.is_query_offset else lengths if info.is_lengths else values.get(info.name)
        if value is None:
            raise Error(f"expects a value of '{info.name}' with the Mod (Mod.values), got none")
        in_order.append(_as_tensor(value, info, query))
    return Programs(mod, in_order, of_mask)


def _as_tensor(value, info, query):
    """Arrays of numpy are the CPU's memory; a number may be a tensor of any device's without dimensions."""
    if info.is_scalar or isinstance(value, torch.Tensor) or not query.is_cuda:
        return value
    raise Error(f"expects '{info.name}' as a tensor on {query.device} as 'query' is, got '{type(value).__name__}'")
