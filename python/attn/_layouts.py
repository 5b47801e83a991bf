"""The memory of a launch as C structures, made and checked for a layout of arrays, then filled with addresses."""

import ctypes
import sys

from . import _arrays, _c
from ._captures import _packed
from ._library import Error, check, library
from ._values import as_number

_NUMBERS = {"float32": (ctypes.c_float, float), "int32": (ctypes.c_int32, int)}
_MOST_CHECKED = 64


def layout_of(x):
    """What two values have in common whose structures differ in addresses and numbers alone."""
    return (_READERS.get(type(x)) or _reader_of(type(x)))[0](x)


def address_of(x):
    """Of an array of a layout for which structures were made."""
    return (_READERS.get(type(x)) or _reader_of(type(x)))[1](x)


def _reader_of(type_):
    """Functions for layouts and addresses, found once for a type."""
    numpy = sys.modules.get("numpy")
    if hasattr(type_, "data_ptr"):  # torch's
        reader = (lambda x: (x.shape, x.stride(), x.dtype, x.device), type_.data_ptr)
    elif numpy is not None and type_ is numpy.ndarray:
        reader = (lambda x: (x.shape, x.strides, x.dtype, x.flags.aligned), lambda x: x.ctypes.data)
    else:
        reader = (_layout_of_other, lambda x: _arrays.memory_of(x, "capture").pointer)
    return _READERS.setdefault(type_, reader)


def _layout_of_other(x):
    if as_number(x) is not None:
        return None
    if not hasattr(x, "__array_interface__") and type(x) is not _arrays.BFloat16:
        return type(x)  # no array, which who makes structures says by its name
    memory = _arrays.memory_of(x, "capture")
    return (memory.shape, memory.strides, memory.type, memory.device)


# By type. A number's layout is None.
_READERS = {type_: (lambda x: None, None) for type_ in (int, float)}


class _Number:
    """Memory of a captured number."""

    def __init__(self, structure, info):
        self.structure, self.name, self.type = structure, info.name, info.type
        type_, self.python = _NUMBERS.get(info.type, (None, None))
        self.memory = type_() if type_ else None
        if type_:
            structure.data = ctypes.addressof(self.memory)

    def set(self, value):
        """Returns the number."""
        number = value if type(value) in (int, float) else as_number(value)
        if type(number) is self.python and (self.python is float or -(2**31) <= number < 2**31):
            self.memory.value = number
            return number
        packed = _packed(number, self.type, self.name, value)
        if self.memory is None:
            self.structure.data, self.packed = ctypes.addressof(packed), packed
        else:
            ctypes.memmove(ctypes.addressof(self.memory), packed, len(packed))
        return number


class Captures:
    """The structures of a launch's captured values."""

    def __init__(self, infos, values, device):
        """Raises Error: a value of another kind, type or device. Ranks are the library's to check."""
        self.count = len(infos)
        self.structures = (_c.Capture * self.count)(*(_c.Capture() for _ in infos)) if infos else None
        self._numbers, self._arrays, self._alive = [], [], []
        for i, (info, value) in enumerate(zip(infos, values)):
            structure = self.structures[i]
            if info.is_scalar:
                self._numbers.append((i, _Number(structure, info)))
                continue
            memory = _arrays.memory_on(value, info.name, device)
            if memory.type not in _arrays.TYPES:
                known = ", ".join(t for t in _arrays.TYPES if t != "float64")
                raise Error(f"expects '{info.name}' of {known}, got {memory.type}")
            rank = len(memory.shape)
            structure.type, structure.rank = _arrays.TYPES[memory.type], rank
            sizes, strides = ((ctypes.c_int64 * rank)(*x) for x in (memory.shape, memory.strides))
            structure.sizes = sizes
            if memory.strides != _arrays.contiguous_strides(memory.shape):
                structure.strides = strides
            self._arrays.append((i, structure))

    def fill(self, values):
        """Returns the numbers."""
        for i, structure in self._arrays:
            structure.data = address_of(values[i])
        return tuple([number.set(values[i]) for i, number in self._numbers]) if self._numbers else ()

    @property
    def reads_arrays(self):
        return bool(self._arrays)


class Arguments:
    """The C arguments of an attention of arrays of one layout, but for addresses of memory."""

    def __init__(self, mod, operands, shape, strides, values, device):
        """`operands`: query, key and value; `shape`, `strides`: of out; `values`: of the mod's captures."""
        names = ("query", "key", "value", "out")
        self.tensors = [_arrays.tensor(x, name, device=device) for name, x in zip(names, operands)]
        self.tensors.append(_c.Tensor(type=self.tensors[0].type, sizes=shape, strides=strides[:3]))
        self.captures = Captures(mod.captures, values, device)
        pointers = dict(zip(names, map(ctypes.pointer, self.tensors)))
        given = {"captures": self.captures.structures, "capture_count": self.captures.count, **pointers}
        self.structure = _c.Arguments(**given)
        self.reference = ctypes.byref(self.structure)


class Bounds:
    """The numbers for which a mod was found to read what it captures within bounds, in one layout."""

    def __init__(self, mod, sizes):
        self._mod, self._sizes, self._known = mod, sizes, set()

    def check(self, captures, numbers):
        """Raises Error where an array is read out of bounds, as far as ranges prove it."""
        if numbers in self._known or not captures.reads_arrays or self._sizes is None:
            return
        sizes = ctypes.byref(self._sizes.to_c())
        check(library().attn_mod_check(self._mod._handle, sizes, captures.structures, captures.count))
        if len(self._known) >= _MOST_CHECKED:
            self._known.clear()
        self._known.add(numbers)


def dense_strides_like(shape, like):
    """Strides of memory without gaps, channels last, other dimensions in the order of the strides of `like`."""
    order = sorted(range(len(shape) - 1), key=lambda d: (-like.stride(d), d)) + [len(shape) - 1]
    strides, step = [0] * len(shape), 1
    for dimension in reversed(order):
        strides[dimension] = step
        step *= max(shape[dimension], 1)
    return tuple(strides)
