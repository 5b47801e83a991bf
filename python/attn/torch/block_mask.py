"""Block masks: FlexAttention's, and ours, which are mask programs, and have lists of blocks when one asks for them."""

import torch
from torch.nn.attention import flex_attention as _of_torch

from .. import recorder
from .._library import Error
from ._tiles import ListsOfMask

_DEFAULT_BLOCK = 128
# Of no mask at all torch makes one block of this size.
HUGE_BLOCK = 1 << 30
_LISTS = ("kv_num_blocks", "kv_indices", "full_kv_num_blocks", "full_kv_indices")
_TRANSPOSED = ("q_num_blocks", "q_indices", "full_q_num_blocks", "full_q_indices")
_ORDERS = ("dq_write_order", "dq_write_order_full", "dq_kv_order", "dq_kv_order_spt")


def noop_mask(b, h, q, kv):
    """A mask_mod that keeps all pairs."""
    return b.new_ones((), dtype=torch.bool)


def and_masks(*mask_mods):
    """The mask_mod that keeps what all of `mask_mods` keep; without any, all pairs."""
    _check_functions(mask_mods)

    def and_mask(b, h, q, kv):
        result = noop_mask(b, h, q, kv)
        for mask_mod in mask_mods:
            result = result & mask_mod(b, h, q, kv)
        return result

    return and_mask


def or_masks(*mask_mods):
    """The mask_mod that keeps what any of `mask_mods` keeps; without any, none."""
    _check_functions(mask_mods)

    def or_mask(b, h, q, kv):
        result = b.new_zeros((), dtype=torch.bool)
        for mask_mod in mask_mods:
            result = result | mask_mod(b, h, q, kv)
        return result

    return or_mask


def _check_functions(mask_mods):
    for mask_mod in mask_mods:
        if not callable(mask_mod):
            raise Error(f"expects mask_mods that can be called, got '{type(mask_mod).__name__}'")


class BlockMask(_of_torch.BlockMask):
    """FlexAttention's BlockMask. One of create_block_mask() is its mask_mod and lengths alone; its lists of blocks are
    made at the first use of one, for who prints or indexes them. One of from_kv_blocks() is its lists: a pair is kept
    if its block is full, or is partial and mask_mod keeps the pair. So is one whose mask_mod is replaced.
    """

    def __init__(self, *arguments, **named):
        self._program, self._lists = False, ListsOfMask()
        super().__init__(*arguments, **named)

    @classmethod
    def of_program(cls, mask_mod, batch, heads, lengths, block_size, device):
        self = cls.__new__(cls)
        self._program, self._lists = True, ListsOfMask()
        self._mask_mod, self.seq_lengths, self.BLOCK_SIZE = mask_mod, lengths, block_size
        self._batch, self._heads, self._device = batch, heads, _numbered(device)
        for name in _ORDERS:
            setattr(self, name, None)
        return self

    @property
    def mask_mod(self):
        return self._mask_mod

    @mask_mod.setter
    def mask_mod(self, mask_mod):
        if self._program:
            self._make_lists()
        self._program, self._mask_mod = False, mask_mod

    @property
    def is_program(self):
        """Whether mask_mod decides alone which pairs are kept."""
        return self._program

    def __getattr__(self, name):
        # Lists of a program that nobody has asked for yet.
        if name in _LISTS:
            self._make_lists()
        elif name in _TRANSPOSED:
            self._make_transposed()
        else:
            raise AttributeError(f"'{type(self).__name__}' has no attribute '{name}'")
        return self.__dict__[name]

    def _make_lists(self):
        if "kv_indices" in self.__dict__:
            return
        from . import _block_lists

        counted = _block_lists.states_of_program(
            self._mask_mod, self._batch, self._heads, self.seq_lengths, self.BLOCK_SIZE, self._device
        )
        for name, lists in zip(_LISTS, _block_lists.lists_of(counted)):
            self.__dict__[name] = lists

    def _make_transposed(self):
        from . import _block_lists

        states = _block_lists.states_of_lists(self)
        for name, lists in zip(_TRANSPOSED, _block_lists.lists_of(states.transpose(-2, -1))):
            self.__dict__[name] = lists

    @property
    def device(self):
        return self._device if self._program else self.kv_indices.device

    @property
    def shape(self):
        if self._program:
            return (self._batch, self._heads, *self.seq_lengths)
        return (*self.kv_indices.shape[:-2], *self.seq_lengths)

    def to(self, device):
        """The mask with lists on another device; tensors that its program captures stay where they are."""
        if not self._program:
            return super().to(device)
        given = (self._mask_mod, self._batch, self._heads, self.seq_lengths, self.BLOCK_SIZE, device)
        return type(self).of_program(*given)


def create_block_mask(
    mask_mod,
    B,
    H,
    Q_LEN,
    KV_LEN,
    device=None,
    BLOCK_SIZE=_DEFAULT_BLOCK,
    _compile=False,
    **tuning,
):
    """The block mask of `mask_mod(b, h, q, kv)`: the program itself, of which nothing is evaluated here.

    B, H: of the problems; None where the program does not read the batch or the head. Q_LEN, KV_LEN: their lengths.
    device: where lists are made if one asks for them; None: the default GPU if there is one, else the CPU. BLOCK_SIZE:
    of these lists, an int or a pair (queries, keys). `_compile` and others of torch's, which say how lists are made,
    are without effect.
    """
    unknown = tuning.keys() - {"separate_full_blocks", "compute_dq_write_order", "dq_kv_order"}
    if unknown:
        raise TypeError(f"create_block_mask() got an unexpected keyword argument '{min(unknown)}'")
    _check_functions([mask_mod])
    rows, columns = _pair(BLOCK_SIZE, "BLOCK_SIZE")
    if rows < 1 or columns < 1:
        raise Error(f"expects 'BLOCK_SIZE' of 1 or more, got {BLOCK_SIZE}")
    for name, size in (("B", B), ("H", H), ("Q_LEN", Q_LEN), ("KV_LEN", KV_LEN)):
        if size is not None and size < 0 or size is None and name.endswith("LEN"):
            raise Error(f"expects '{name}' of 0 or more, got {size}")
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    shape = (1 if B is None else B, 1 if H is None else H)
    return BlockMask.of_program(mask_mod, *shape, (Q_LEN, KV_LEN), (rows, columns), device)


def _numbered(device):
    """The device as tensors on it say it: "cuda" is the current GPU."""
    device = torch.device(device)
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return device


def _pair(size, name):
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) != 2:
        raise Error(f"expects '{name}' as an int or a pair, got {size}")
    return pair


def seen(block_mask, plan, query, key, has_other_lengths):
    """(mask_mod, where lists of tiles are kept) of a block mask as launches see it.

    Raises Error: a mask of other lengths, batch, heads or device than the problem's.
    """
    if isinstance(block_mask, BlockMask) and block_mask._program:
        lists = block_mask._lists
        if lists.fits is not plan:
            _check(block_mask, block_mask.shape, block_mask.device, query, key, has_other_lengths)
            lists.fits = plan
        return block_mask._mask_mod, lists
    if not isinstance(block_mask, _of_torch.BlockMask):
        raise Error(f"expects 'block_mask' of create_block_mask(), got '{type(block_mask).__name__}'")
    _check(block_mask, block_mask.shape, block_mask.kv_indices.device, query, key, has_other_lengths)
    from . import _block_lists

    return _block_lists.seen_of(block_mask)


def seen_in_graph(block_mask, query, key, has_other_lengths):
    """The mask_mod alone, where torch.compile traces the call; lists of blocks are read in the graph."""
    is_program = isinstance(block_mask, BlockMask) and block_mask._program
    if not is_program and not isinstance(block_mask, _of_torch.BlockMask):
        raise Error(f"expects 'block_mask' of create_block_mask(), got '{type(block_mask).__name__}'")
    device = block_mask.device if is_program else block_mask.kv_indices.device
    _check(block_mask, block_mask.shape, device, query, key, has_other_lengths)
    if is_program:
        return block_mask._mask_mod
    from . import _block_lists

    return _block_lists.program_of(block_mask)


def _check(block_mask, shape, device, query, key, has_other_lengths):
    if device != query.device:
        raise Error(f"expects 'block_mask' on {query.device} as 'query' is, got it on {device}")
    if len(shape) > 4:
        raise Error(f"expects 'block_mask' with a batch and heads, got shape {tuple(shape)}")
    shape = (1,) * (4 - len(shape)) + tuple(shape)
    for name, got, wanted in (("batch", shape[0], query.shape[0]), ("heads", shape[1], query.shape[1])):
        if got != 1 and got != wanted:  # which dynamo compares, unlike members of a tuple
            raise Error(f"expects 'block_mask' with {name} of 1 or {wanted} as 'query' has, got {got}")
    lengths, wanted = shape[2:], (query.shape[2], key.shape[2])
    if lengths != wanted and not has_other_lengths and min(block_mask.BLOCK_SIZE) < HUGE_BLOCK:
        raise Error(
            f"expects 'block_mask' of {wanted[0]} queries and {wanted[1]} keys as 'query' and 'key' have, got one of "
            f"{lengths[0]} and {lengths[1]}: create_block_mask() takes no time"
        )
