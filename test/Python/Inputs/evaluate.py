"""What a recorded mod computes for every (b, h, q, kv), by libattn.so on the CPU, without numpy.

A mask is seen in the output for one-hot values, whose rows are probabilities; a score in the LSE of a row of which a
second mask keeps one key.
"""

import ctypes
import itertools
import math

import attn

TYPES = {
    "float32": (ctypes.c_float, "<f4"),
    "int32": (ctypes.c_int32, "<i4"),
    "int64": (ctypes.c_int64, "<i8"),
    "int16": (ctypes.c_int16, "<i2"),
    "int8": (ctypes.c_int8, "|i1"),
    "uint8": (ctypes.c_uint8, "|u1"),
    "bool": (ctypes.c_bool, "|b1"),
    "float64": (ctypes.c_double, "<f8"),
}


class Array:
    """As much of numpy's arrays as a program may see: shape, dtype, indices, memory."""

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

    @classmethod
    def of(cls, values, shape):
        """A float32 array of that shape, of all its elements."""
        array = cls(list(values))
        array.shape = shape
        return array

    @property
    def __array_interface__(self):
        data = (ctypes.addressof(self.data), False)
        return {"version": 3, "data": data, "shape": self.shape, "typestr": TYPES[self.dtype][1]}

    def item(self):
        assert self.shape == ()
        return self.data[0]

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


class Kernel:
    """A recorded mod, compiled for sizes (batch, heads, queries, keys)."""

    def __init__(self, recorded, sizes):
        self.captures, self.sizes = {c.name: c.value for c in recorded.captures}, sizes
        mod = attn.Mod.from_source(recorded.text, "recorded")
        self.kernel = attn.Kernel(mod, attn.Spec(head_dim=1, value_dim=sizes[3], scale=1, lse=True))

    def run(self, score_of):
        """(output, LSE) for scores score_of(b, h, q) * (-1)^kv."""
        b, h, sq, sk = self.sizes
        rows = list(itertools.product(range(b), range(h), range(sq)))
        query = Array.of((score_of(*row) for row in rows), (b, h, sq, 1))
        key = Array.of(((-1) ** kv for _ in range(b * h) for kv in range(sk)), (b, h, sk, 1))
        one_hot = (i == j for _ in range(b * h) for i in range(sk) for j in range(sk))
        value = Array.of(one_hot, (b, h, sk, sk))
        out, lse = Array.of([0] * len(rows) * sk, (b, h, sq, sk)), Array.of([0] * len(rows), (b, h, sq))
        self.kernel(query, key, value, captures=self.captures, out=out, lse=lse)
        return out.data, lse.data
