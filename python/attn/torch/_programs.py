"""Which programs a call runs: its score_mod and block mask, or a Mod, as one mod and what that captures."""

import threading
import urllib.parse

import torch

from .._attention import _with
from .._library import Error
from .._recordings import recorded
from ..mod import Mod
from .block_mask import seen

PLAIN = "attn.mod @plain"
_MOST = 512
_lock = threading.Lock()
# Of recorded programs, by what is added to them.
_mods = {}


def programs_of(score_mod, block_mask, plan, query, key, query_offset, lengths, sequences):
    """(mod, the values of its captures in its order, where lists of tiles are kept) of a call of flex_attention()."""
    mask_mod = of_mask = None
    if block_mask is not None:
        has_others = sequences is not None or lengths is not None or query_offset is not None
        mask_mod, of_mask = seen(block_mask, plan, query, key, has_others)
    if isinstance(score_mod, Mod):
        mod, values = _of_mod(score_mod, mask_mod, query_offset, lengths)
        return mod, values, of_mask
    if score_mod is None and mask_mod is None:
        return _mod_of(None, query_offset, lengths), _with_positions((), query_offset, lengths), of_mask
    if score_mod is not None and not callable(score_mod):
        raise Error(f"expects 'score_mod' to be a function or an attn.Mod, got '{type(score_mod).__name__}'")
    program, values = recorded(score_mod, mask_mod)
    if query_offset is not None or lengths is not None:
        values = _with_positions(values, query_offset, lengths)
    return _mod_of(program, query_offset, lengths), values, of_mask


def _mod_of(program, query_offset, lengths):
    """The same mod for all threads, since kernels are kept by it."""
    if program is not None and query_offset is None and lengths is None and program.mod is not None:
        return program.mod
    key = (program, _kind_of(query_offset), lengths is not None)
    mod = _mods.get(key) or _made(key, program.text if program else PLAIN)
    if program is not None and key[1:] == (None, False):
        program.mod = mod
    return mod


def mod_of_line(line, offset_of_each, has_lengths):
    """The mod of a text (Mod.line), with an offset for each sequence or one of all (None: without) and lengths."""
    key = (line, offset_of_each, has_lengths)
    return _mods.get(key) or _made(key, urllib.parse.unquote(line))


def _made(key, source):
    with _lock:
        if len(_mods) >= _MOST:
            _mods.clear()
        return _mods.setdefault(key, _with(Mod.from_source(source, "recorded"), *key[1:]))


def _kind_of(query_offset):
    """None: there is none; else whether there is one for each sequence."""
    return None if query_offset is None else isinstance(query_offset, torch.Tensor) and query_offset.dim() > 0


def _with_positions(values, query_offset, lengths):
    """They come behind what programs capture."""
    return (*values, *[x for x in (query_offset, lengths) if x is not None])


def _of_mod(given, mask_mod, query_offset, lengths):
    if mask_mod is not None:
        raise Error("expects a Mod, which may have a mask, or a block_mask, got both")
    has_positions = query_offset is not None or lengths is not None or len(given.captures) != len(given.own_names)
    if not has_positions:
        try:
            return given, [given.values[name] for name in given.own_names]
        except KeyError:  # of which the name is said below
            pass
    mod = _with(given, _kind_of(query_offset), lengths is not None)
    values = []
    for info in mod.captures:
        of_call = query_offset if info.is_query_offset else lengths if info.is_lengths else None
        values.append(given.values.get(info.name) if of_call is None else of_call)
        if values[-1] is None:
            raise Error(f"expects '{info.name}' for mod '@{mod.name}', got none: Mod.values has what a mod captures")
    return mod, values
