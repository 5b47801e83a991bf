"""Mods: score and mask programs that the library has read, and what they capture."""

import ctypes
import functools
import itertools
import os
import urllib.parse
from typing import NamedTuple

from . import _arrays, _c
from ._captures import NAMES, Captured, MadeCapture
from ._library import Handle, check, library
from ._recordings import recorded
from .recorder import mod_source


_OF_LINES = " !#$&()*+,-./:;<=>?@[]^_|~"


@functools.lru_cache(512)
def line_of(text):
    """A mod's text in one line and without quotes."""
    return urllib.parse.quote(text, safe=_OF_LINES)


class Sizes(NamedTuple):
    """Of a problem, in elements. `sequences`: how many were folded into one (Mod.folds_batch); 0: batch."""

    batch: int
    heads: int
    queries: int
    keys: int
    kv_heads: int = 0  #: 0: heads
    head_dim: int = 0  #: only for what a mod's file makes of it
    value_dim: int = 0
    sequences: int = 0

    def to_c(self):
        return _c.Sizes(**self._replace(kv_heads=self.kv_heads or self.heads)._asdict())


class CaptureInfo(NamedTuple):
    """What a mod captures."""

    name: str
    type: str  #: numpy's name of it, as "float32"; memory of uint8 is a capture of int8
    rank: int  #: 0 for a scalar, and for a tensor of one element
    is_scalar: bool
    is_query_offset: bool
    is_lengths: bool


class Mod:
    """A score_mod, a mask_mod, or both.

    Mod.from_file(path), Mod.from_source(text) and Mod.from_functions(score_mod, mask_mod) make one; their errors are
    attn.Error, the last one's also attn.RecordError.
    """

    def __init__(self, handle, values=None):
        #: Of captures, by name, which a call need not give: those of functions.
        self.values = values or {}
        self._handle = handle
        #: The text in one line and without quotes (urllib.parse), where it is known: as operators of torch have it.
        self.line = None
        self.name = library().attn_mod_name(handle).decode()
        self.captures = tuple(map(self._info, range(library().attn_mod_capture_count(handle))))
        own = (c for c in self.captures if not c.is_query_offset and not c.is_lengths)
        #: Names of the captures that are not positions.
        self.own_names = tuple(c.name for c in own)

    @classmethod
    def from_file(cls, path):
        """The mod of a file: exactly one that no other of the file applies."""
        mod = cls(Handle("mod", library().attn_mod_from_file, os.fsencode(path)))
        with open(path, encoding="utf-8") as file:
            mod.source = file.read()
        mod.line = line_of(mod.source)
        return mod

    @classmethod
    def from_source(cls, text, name="mod.mlir"):
        """The same of text; `name` stands for the file in diagnostics."""
        mod = cls(Handle("mod", library().attn_mod_from_source, text.encode(), os.fsencode(name)))
        mod.line = line_of(text)
        return mod

    @classmethod
    def from_functions(cls, score_mod=None, mask_mod=None, *, lift=True):
        """The mod of Python functions, with the arrays and numbers that they capture (attn.mod_source)."""
        if lift:
            program, values = recorded(score_mod, mask_mod)
        else:
            program = mod_source(score_mod, mask_mod)
            values = [c.value for c in program.captures]
        mod = cls.from_source(program.text, "recorded")
        mod.values = {c.name: value for c, value in zip(program.captures, values)}
        return mod

    def _info(self, index):
        info = _c.CaptureInfo()
        check(library().attn_mod_capture(self._handle, index, ctypes.byref(info)))
        flags = (bool(x) for x in (info.is_scalar, info.is_query_offset, info.is_lengths))
        return CaptureInfo(info.name.decode(), NAMES[info.type], info.rank, *flags)

    @property
    def has_score(self):
        return bool(library().attn_mod_has_score(self._handle))

    @property
    def has_mask(self):
        return bool(library().attn_mod_has_mask(self._handle))

    @property
    def folds_batch(self):
        """Whether its file says that a batch of B sequences is run as one sequence of B times the length."""
        return bool(library().attn_mod_folds_batch(self._handle))

    def with_query_offset(self, per_batch=False):
        """The mod whose programs see q + offset instead of q; a launch's `query_offset` is a number, or one for each
        batch."""
        kind = _c.OFFSET_PER_BATCH if per_batch else _c.OFFSET_SCALAR
        return Mod(Handle("mod", library().attn_mod_with_query_offset, self._handle, kind), self.values)

    def with_lengths(self):
        """The mod whose sequence b has the keys before a launch's `lengths[b]`."""
        return Mod(Handle("mod", library().attn_mod_with_lengths, self._handle), self.values)

    def make_captures(self, sizes):
        """The captured data that the mod's file describes, for `sizes`, by name, as `captures` of a launch.

        Memory of the library, to read, with numpy's `__array_interface__`; not the offset and lengths.
        """
        made = Handle("captures", library().attn_mod_make_captures, self._handle, ctypes.byref(sizes.to_c()))
        return {
            info.name: MadeCapture(made, index)
            for index, info in enumerate(self.captures)
            if not info.is_query_offset and not info.is_lengths
        }

    def check(self, sizes, captures=None, *, query_offset=None, lengths=None):
        """Raises Error where a captured array has another type, or a program reads it out of bounds for an index of
        `sizes`, as far as ranges prove it. Calls of kernels do so for sizes and shapes that they have not seen."""
        given = Captured(self, captures, query_offset, lengths)
        check(library().attn_mod_check(self._handle, ctypes.byref(sizes.to_c()), given.structures, len(given)))


def problem_sizes(operands, *, query_starts=None, key_starts=None, pages=None):
    """Sizes of a launch of tensors (query, key, value) as mods see them: of ragged ones the longest sequence's."""
    query, key, value = operands
    batch, heads, queries, head_dim = query.sizes
    kv_heads, keys = key.sizes[1], key.sizes[2]
    if query_starts is not None:
        starts = _arrays.int32_values(query_starts)
        batch, queries = len(starts) - 1, min(queries, _longest(starts))
    if key_starts is not None:
        keys = min(keys, _longest(_arrays.int32_values(key_starts)))
    if pages is not None:
        keys *= _arrays.memory_of(pages, "pages").shape[-1]
    return Sizes(batch, heads, queries, keys, kv_heads, head_dim, value.sizes[3])


def _longest(starts):
    return max([0, *(end - start for start, end in itertools.pairwise(starts))])
