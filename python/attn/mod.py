"""Mods: score and mask programs that the library has read, and what they capture."""

import ctypes
import itertools
import os
import struct
from typing import NamedTuple

from . import _arrays, _c
from ._library import Error, Handle, check, library
from ._values import as_number
from .recorder import mod_source

_NAMES = {number: name for name, number in _arrays.TYPES.items()}
# Of Python's numbers: struct's codes.
_CODES = {"float32": "f", "float16": "e", "int32": "i", "int64": "q", "int16": "h", "int8": "b", "bool": "?"}


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
        self.name = library().attn_mod_name(handle).decode()
        self.captures = tuple(map(self._info, range(library().attn_mod_capture_count(handle))))

    @classmethod
    def from_file(cls, path):
        """The mod of a file: exactly one that no other of the file applies."""
        return cls(Handle("mod", library().attn_mod_from_file, os.fsencode(path)))

    @classmethod
    def from_source(cls, text, name="mod.mlir"):
        """The same of text; `name` stands for the file in diagnostics."""
        return cls(Handle("mod", library().attn_mod_from_source, text.encode(), os.fsencode(name)))

    @classmethod
    def from_functions(cls, score_mod=None, mask_mod=None, *, lift=True):
        """The mod of Python functions, with the arrays and numbers that they capture (attn.mod_source)."""
        recorded = mod_source(score_mod, mask_mod, lift=lift)
        mod = cls.from_source(recorded.text, "recorded")
        mod.values = {c.name: c.value for c in recorded.captures}
        return mod

    def _info(self, index):
        info = _c.CaptureInfo()
        check(library().attn_mod_capture(self._handle, index, ctypes.byref(info)))
        flags = (bool(x) for x in (info.is_scalar, info.is_query_offset, info.is_lengths))
        return CaptureInfo(info.name.decode(), _NAMES[info.type], info.rank, *flags)

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
            info.name: _Made(made, index)
            for index, info in enumerate(self.captures)
            if not info.is_query_offset and not info.is_lengths
        }

    def check(self, sizes, captures=None, *, query_offset=None, lengths=None):
        """Raises Error where a captured array has another type, or a program reads it out of bounds for an index of
        `sizes`, as far as ranges prove it. Calls of kernels do so for sizes and shapes that they have not seen."""
        given = Captured(self, captures, query_offset, lengths)
        check(library().attn_mod_check(self._handle, ctypes.byref(sizes.to_c()), given.structures, len(given)))


class _Made:
    """One capture that the library made."""

    def __init__(self, made, index):
        self._made, view = made, _c.Capture()
        check(library().attn_captures_get(made, index, ctypes.byref(view)))
        self.dtype, self.shape = _NAMES[view.type], tuple(view.sizes[i] for i in range(view.rank))
        strings = {name: string for string, name in _arrays._TYPESTRINGS.items()}
        self.__array_interface__ = {
            "version": 3,
            "data": (view.data, True),
            "shape": self.shape,
            "typestr": strings.get(self.dtype, "<V2"),
        }

    def item(self):
        """The number, of a scalar."""
        code, data = _CODES[self.dtype], self.__array_interface__["data"][0]
        return struct.unpack(code, ctypes.string_at(data, struct.calcsize(code)))[0]


class Captured:
    """What a launch gives for a mod's captures, as C structures, which live as long as this does."""

    def __init__(self, mod, captures, query_offset, lengths):
        """`captures`: by name, for those that the mod has no values of. Raises Error: an unknown name, a missing
        capture, a value of another kind."""
        captures = {**mod.values, **captures} if captures else mod.values
        self._check_names(mod, captures, query_offset, lengths)
        infos, self._alive, self.key = mod.captures, [], []
        self._infos = infos
        self.structures = (_c.Capture * len(infos))(*(_c.Capture() for _ in infos)) if infos else None
        self.reads_arrays = False
        for index, info in enumerate(infos):
            if info.is_query_offset:
                value, name = query_offset, "query_offset"
            elif info.is_lengths:
                value, name = lengths, "lengths"
            else:
                value, name = captures.get(info.name), info.name
                self.reads_arrays |= info.rank > 0
            if value is None:
                raise Error(f"expects '{name}' for mod '@{mod.name}', got none")
            self._set(self.structures[index], info, value, name)

    def __len__(self):
        return len(self.structures) if self.structures else 0

    def shapes(self):
        """Of each, by name."""
        return {info.name: key if info.rank else () for info, key in zip(self._infos, self.key)}

    @staticmethod
    def _check_names(mod, captures, query_offset, lengths):
        own = [c.name for c in mod.captures if not c.is_query_offset and not c.is_lengths]
        unknown = captures.keys() - own
        if unknown:
            expected = f"captures of '@{mod.name}' ({', '.join(own)})" if own else f"no captures of '@{mod.name}'"
            raise Error(f"expects {expected}, got '{min(unknown)}'")
        if query_offset is not None and not any(c.is_query_offset for c in mod.captures):
            raise Error(f"expects no 'query_offset': mod '@{mod.name}' has none (Mod.with_query_offset)")
        if lengths is not None and not any(c.is_lengths for c in mod.captures):
            raise Error(f"expects no 'lengths': mod '@{mod.name}' has none (Mod.with_lengths)")

    def _set(self, structure, info, value, name):
        if info.rank == 0:
            if hasattr(value, "data_ptr"):  # whose gradient nobody would have
                _arrays.memory_of(value, name)
            number = as_number(value)
            data = _packed(number, info.type, name, value)
            structure.data, key = ctypes.addressof(data), number
            self._alive.append(data)
        else:
            memory = _arrays.memory_of(value, name)
            if memory.type not in _arrays.TYPES:
                known = ", ".join(t for t in _arrays.TYPES if t != "float64")
                raise Error(f"expects '{name}' of {known}, got {memory.type}")
            sizes = (ctypes.c_int64 * len(memory.shape))(*memory.shape)
            structure.data, structure.type, structure.sizes = memory.pointer, _arrays.TYPES[memory.type], sizes
            structure.rank, key = len(memory.shape), memory.shape
            if memory.strides != _arrays.contiguous_strides(memory.shape):
                structure.strides = (ctypes.c_int64 * len(memory.shape))(*memory.strides)
            self._alive.append(value)
        self.key.append(key)


def _packed(number, type_, name, value):
    """Memory of one number."""
    integer = not type_.startswith(("float", "bfloat"))
    if number is None or (integer and isinstance(number, float)):
        shape = getattr(value, "shape", None)
        got = number if number is not None else f"an array of shape {shape}" if shape else f"'{type(value).__name__}'"
        raise Error(f"expects '{name}' to be {'an integer' if integer else 'a number'}, got {got}")
    try:
        if type_ == "bfloat16":
            bits = struct.unpack("I", struct.pack("f", number))[0]
            # Halves to even; NaN keeps its sign and stays one.
            rounded = bits + 0x7FFF + (bits >> 16 & 1) if number == number else bits | 0x400000
            data = struct.pack("H", rounded >> 16 & 0xFFFF)
        else:
            data = struct.pack(_CODES[type_], number)
    except (struct.error, OverflowError):
        raise Error(f"expects '{name}' to fit {type_}, got {number}") from None
    return ctypes.create_string_buffer(data, len(data))


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
