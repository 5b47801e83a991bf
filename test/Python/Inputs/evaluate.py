"""What a recorded mod computes for every (b, h, q, kv), by libattn.so on the CPU, without numpy.

A mask is seen in the output for one-hot values, whose rows are probabilities; a score in the LSE of a row of which a
second mask keeps one key.
"""

import ctypes
import itertools
import math
import os

from ctypes import POINTER, byref, c_char_p, c_float, c_int32, c_int64, c_size_t, c_void_p

TYPES = {
    "float32": (c_float, 1),
    "int32": (c_int32, 5),
    "int64": (c_int64, 6),
    "int16": (ctypes.c_int16, 7),
    "int8": (ctypes.c_int8, 8),
    "uint8": (ctypes.c_uint8, 9),
    "bool": (ctypes.c_bool, 10),
    "float64": (ctypes.c_double, 4),
}


class Array:
    """As much of numpy's arrays as a program may see: shape, dtype, indices."""

    def __init__(self, values, dtype="float32"):
        self.shape, row = [], values
        while isinstance(row, list):
            self.shape.append(len(row))
            row = row[0]
        self.shape, self.dtype = tuple(self.shape), dtype
        for _ in self.shape[1:]:
            values = [x for row in values for x in row]
        flat = values if self.shape else [values]
        self.data = (TYPES[dtype][0] * len(flat))(*flat)

    def __setitem__(self, index, value):
        assert index == self.shape == ()
        self.data[0] = value

    def __getitem__(self, index):
        index = index if isinstance(index, tuple) else (index,)
        flat = 0
        for i, n in zip(index, self.shape):
            assert -n <= i < n, f"index {i} of {n}"
            flat = flat * n + i % n
        if len(index) == len(self.shape):
            return self.data[flat]
        rest = math.prod(self.shape[len(index) :])
        part = Array([0], self.dtype)
        part.shape, part.data = self.shape[len(index) :], self.data[flat * rest : (flat + 1) * rest]
        return part


class _Tensor(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("data", c_void_p), ("type", c_int32), ("sizes", c_int64 * 4)]
    _fields_ += [("strides", c_int64 * 3)]


class _Capture(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("data", c_void_p), ("type", c_int32), ("rank", c_int32)]
    _fields_ += [("sizes", POINTER(c_int64)), ("strides", POINTER(c_int64))]


class _Spec(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("target", c_int32), ("type", c_int32), ("head_dim", c_int64)]
    _fields_ += [("value_dim", c_int64), ("scale", POINTER(c_float)), ("schedule", c_char_p)]
    _fields_ += [("device", c_void_p), ("lse", c_int32), ("unaligned", c_int32), ("portable", c_int32)]
    _fields_ += [("exact", c_int32), ("deterministic", c_int32), ("ragged_queries", c_int32)]
    _fields_ += [("ragged_keys", c_int32), ("paged", c_int32), ("strided_captures", c_int32)]
    _fields_ += [("invariant", c_int32), ("checked", c_int32), ("shares", c_int64)]


class _Arguments(ctypes.Structure):
    _fields_ = [("size", c_size_t)] + [(n, POINTER(_Tensor)) for n in ("query", "key", "value", "out")]
    _fields_ += [("lse", c_void_p), ("captures", POINTER(_Capture)), ("capture_count", c_size_t)]
    _fields_ += [(n, c_void_p) for n in ("stream", "tiles", "query_starts", "key_starts", "pages", "workspace")]
    _fields_ += [("workspace_bytes", c_int64)]


_library = ctypes.CDLL(os.environ["ATTN_LIBRARY"])
_library.attn_error_text.restype = c_char_p
for name in ("attn_mod_release", "attn_kernel_release"):
    getattr(_library, name).argtypes, getattr(_library, name).restype = [c_void_p], None


def _check(status):
    if status:
        raise RuntimeError(_library.attn_error_text().decode())


def _sized(structure, **fields):
    return structure(size=ctypes.sizeof(structure), **fields)


def _tensor(data, sizes):
    b, h, s, d = sizes
    strides = (c_int64 * 3)(h * s * d, s * d, d)
    pointer = ctypes.cast(data, c_void_p)
    return _sized(_Tensor, data=pointer, type=1, sizes=(c_int64 * 4)(*sizes), strides=strides)


class Kernel:
    """A recorded mod, compiled for sizes (batch, heads, queries, keys)."""

    def __init__(self, recorded, sizes):
        self.recorded, self.sizes = recorded, sizes
        mod, self.kernel = c_void_p(), c_void_p()
        _check(_library.attn_mod_from_source(recorded.text.encode(), b"recorded", byref(mod)))
        scale = c_float(1)
        spec = _sized(_Spec, target=1, type=1, head_dim=1, value_dim=sizes[3], scale=ctypes.pointer(scale), lse=1)
        _check(_library.attn_kernel_compile(mod, byref(spec), byref(self.kernel)))
        _library.attn_mod_release(mod)

    def __del__(self):
        _library.attn_kernel_release(self.kernel)

    def run(self, score_of):
        """(output, LSE) for scores score_of(b, h, q) * (-1)^kv."""
        b, h, sq, sk = self.sizes
        rows = list(itertools.product(range(b), range(h), range(sq)))
        query = (c_float * len(rows))(*(score_of(*row) for row in rows))
        key = (c_float * (b * h * sk))(*((-1) ** kv for _ in range(b * h) for kv in range(sk)))
        value = (c_float * (b * h * sk * sk))(*(i == j for _ in range(b * h) for i in range(sk) for j in range(sk)))
        out, lse = (c_float * (len(rows) * sk))(), (c_float * len(rows))()
        tensors = [_tensor(query, (b, h, sq, 1)), _tensor(key, (b, h, sk, 1))]
        tensors += [_tensor(value, (b, h, sk, sk)), _tensor(out, (b, h, sq, sk))]
        captures = [self._capture(c, c.value) for c in self.recorded.captures]
        names = ("query", "key", "value", "out")
        arguments = _sized(_Arguments, lse=ctypes.cast(lse, c_void_p), capture_count=len(captures))
        for name, tensor in zip(names, tensors):
            setattr(arguments, name, ctypes.pointer(tensor))
        arguments.captures = (_Capture * len(captures))(*(c[0] for c in captures))
        _check(_library.attn_kernel_run(self.kernel, byref(arguments)))
        return out, lse

    @staticmethod
    def _capture(declared, value):
        """The structure, and what it points to."""
        if hasattr(value, "data"):
            sizes = (c_int64 * len(value.shape))(*value.shape)
            data, type_, rank = value.data, TYPES[value.dtype][1], len(value.shape)
        else:
            data = (c_float if declared.type == "f32" else c_int32)(value)
            data, type_, sizes, rank = ctypes.pointer(data), 0, None, 0
        pointer = ctypes.cast(data, c_void_p)
        return _sized(_Capture, data=pointer, type=type_, rank=rank, sizes=sizes), data, sizes
