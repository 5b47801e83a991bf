"""Lists of blocks: states of blocks from lists, lists from states, and both of a mask program.

States are int8 (batch, heads, rows of blocks, columns of blocks): 0 empty, 1 partial, 2 full.
"""

import functools
import math

import torch

from .._library import Error
from ..recorder import table
from ._cuda import is_capturing
from ._tiles import ListsOfMask, _version_of
from .block_mask import HUGE_BLOCK, BlockMask

# Of a row and a block, so that an f32's logarithm tells their number.
_MOST_COUNTED = 1 << 17
# By name of the attribute of a block mask that holds what was made of its lists.
_MADE = "_attn_made_of_lists"


def seen_of(block_mask):
    """(mask_mod, where lists of tiles are kept) of lists of blocks, of whose states the mask_mod reads a table.

    Made once, while the lists are the same; in a stream capture made anew, so that replays see what lists say then.
    """
    mask_mod = block_mask.mask_mod
    lists = [x for x in _lists(block_mask) if x is not None]
    versions = tuple([_version_of(x) for x in lists])
    made = block_mask.__dict__.get(_MADE)
    captured = lists[0].is_cuda and is_capturing(lists[0].device.index)
    if made and not captured and made[0] == (*map(id, lists), *versions, id(mask_mod)) and None not in versions:
        return made[1]
    result = (program_of(block_mask), made[1][1] if made else ListsOfMask())
    if not captured:
        # The lists and the function are the mask's: their ids are theirs as long as this is there.
        block_mask.__dict__[_MADE] = ((*map(id, lists), *versions, id(mask_mod)), result, lists, mask_mod)
    return result


def _lists(block_mask):
    names = ("kv_num_blocks", "kv_indices", "full_kv_num_blocks", "full_kv_indices")
    return [getattr(block_mask, name) for name in names]


def program_of(block_mask):
    """The mask_mod that lists of blocks are, by a table of the states of blocks."""
    states, mask_mod = states_of_lists(block_mask), block_mask.mask_mod
    rows, columns = block_mask.BLOCK_SIZE
    reads_batch, reads_head = states.shape[0] > 1, states.shape[1] > 1
    states = table(states, "block_states")

    def by_states(b, h, q, kv):
        # Constants of the program, also in graphs of torch.compile: a range asks numbers for their value.
        row, column = q // range(rows).stop, kv // range(columns).stop
        of_block = states[b if reads_batch else 0, h if reads_head else 0, row, column]
        is_partial = of_block == 1
        if mask_mod is not None:  # that of an indexed mask keeps all pairs of a partial block
            is_partial = is_partial & mask_mod(b, h, q, kv)
        return (of_block == 2) | is_partial

    return by_states


def states_of_lists(block_mask):
    """Of what lists say; a block in both is full."""
    partial_count, partial, full_count, full = _lists(block_mask)
    columns = max(math.ceil(block_mask.seq_lengths[1] / block_mask.BLOCK_SIZE[1]), partial.shape[-1], 1)
    if min(block_mask.BLOCK_SIZE) >= HUGE_BLOCK:
        columns = 1
    # One more column than there is, for entries behind the counts.
    states = partial.new_zeros((*_four(partial).shape[:3], columns + 1), dtype=torch.int8)
    _mark(states, partial_count, partial, 1)
    if full is not None:
        _mark(states, full_count, full, 2)
    return states[..., :columns].contiguous()


def _four(lists):
    return lists.reshape((1,) * (4 - lists.dim()) + tuple(lists.shape))


def _mark(states, counts, indices, state):
    indices = _four(indices)
    last = states.shape[-1] - 1
    places = torch.arange(indices.shape[-1], device=indices.device, dtype=counts.dtype)
    is_entry = places < counts.reshape(indices.shape[:3])[..., None]
    places = torch.where(is_entry, indices, last).long().clamp_(0, last)
    states.scatter_(-1, places, torch.full_like(places, state, dtype=torch.int8))


def lists_of(states):
    """(partial counts, partial indices, full counts, full indices), int32, of a mask's states."""
    result = []
    states = states.contiguous()  # as lists of torch's are
    for state in (1, 2):
        has = states == state
        result.append(has.sum(-1, dtype=torch.int32))
        # Columns that have the state first, in their order.
        result.append(torch.argsort(has.to(torch.int8), dim=-1, descending=True, stable=True).to(torch.int32))
    return result


def _in_column(columns, width, mask_mod, b, h, q, kv):
    return mask_mod(b, h // columns, q, kv) & (kv // width == h % columns)


def states_of_program(mask_mod, batch, heads, lengths, block_size, device):
    """The states of a mask program's blocks, by how many pairs of each it keeps.

    They are counted by an attention whose scores are 0, so that a row's LSE is the logarithm of its number of pairs. It
    has a head for each head and column of blocks, which sees the keys of that column alone.
    """
    from .flex import flex_attention

    queries, keys = lengths
    rows, columns = (max(math.ceil(n / size), 1) for n, size in zip(lengths, block_size))
    if not queries or not keys or not batch or not heads:
        return torch.zeros((batch, heads, rows, columns), dtype=torch.int8, device=device)
    if block_size[1] > _MOST_COUNTED and keys > _MOST_COUNTED:
        raise Error(f"expects blocks of at most {_MOST_COUNTED} keys to make lists of, got {block_size[1]}")
    mask = functools.partial(_in_column, columns, block_size[1], mask_mod)
    zeros = torch.zeros((), device=device)
    query, key = (zeros.expand(batch, n, size, 1) for n, size in ((heads * columns, queries), (1, keys)))
    with torch.no_grad():
        program = BlockMask.of_program(mask, batch, heads * columns, lengths, block_size, device)
        _, lse = flex_attention(query, key, key, None, program, enable_gqa=True, return_lse=True)
    kept = lse.double().exp().round().reshape(batch, heads, columns, queries)
    height = min(block_size[0], queries)
    kept = torch.nn.functional.pad(kept, (0, rows * height - queries))
    kept = kept.reshape(batch, heads, columns, rows, height).sum(-1).transpose(2, 3)
    # As torch has it, a block that sticks out is never full.
    pairs = block_size[0] * block_size[1]
    return (kept > 0).to(torch.int8) + (kept == pairs).to(torch.int8)
