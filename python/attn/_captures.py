"""What mods capture, as C structures: memory of arrays, and numbers."""

import ctypes
import struct

from . import _arrays, _c
from ._library import Error, check, library
from ._values import as_number

NAMES = {number: name for name, number in _arrays.TYPES.items()}
# Of Python's numbers: struct's codes.
_CODES = {"float32": "f", "float16": "e", "int32": "i", "int64": "q", "int16": "h", "int8": "b", "bool": "?"}


class MadeCapture:
    """One capture that the library made."""

    def __init__(self, made, index):
        self._made, view = made, _c.Capture()
        check(library().attn_captures_get(made, index, ctypes.byref(view)))
        self.dtype, self.shape = NAMES[view.type], tuple(view.sizes[i] for i in range(view.rank))
        self.__array_interface__ = {
            "version": 3,
            "data": (view.data, True),
            "shape": self.shape,
            "typestr": _arrays.typestring(self.dtype),
        }

    def item(self):
        """The number, of a scalar."""
        code, data = _CODES[self.dtype], self.__array_interface__["data"][0]
        return struct.unpack(code, ctypes.string_at(data, struct.calcsize(code)))[0]


class Captured:
    """What a launch gives for a mod's captures, as C structures, which live as long as this does."""

    def __init__(self, mod, captures, query_offset, lengths, device=None):
        """`captures`: by name, for those that the mod has no values of. Raises Error: an unknown name, a missing
        capture, a value of another kind."""
        captures = {**mod.values, **captures} if captures else mod.values
        self._check_names(mod, captures, query_offset, lengths)
        infos, self._alive, self.key, self._device = mod.captures, [], [], device
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
        return {info.name: () if info.is_scalar else key for info, key in zip(self._infos, self.key)}

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
        if info.is_scalar:
            if hasattr(value, "data_ptr"):  # whose gradient nobody would have
                _arrays.memory_of(value, name)
            number = as_number(value)
            data = _packed(number, info.type, name, value)
            structure.data, key = ctypes.addressof(data), number
            self._alive.append(data)
        else:
            memory = _arrays.memory_on(value, name, self._device)
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
