"""Attention of numpy's arrays against the definition in f64.

RUN: env PYTHONPATH=%source/python ATTN_LIBRARY=%libattn %python %s
REQUIRES: numpy
UNSUPPORTED: sanitized
"""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "Inputs"))
import attn
import numpy as np
from reference import Attention

random = np.random.default_rng(19)
CONFIGS = os.path.join(os.path.dirname(__file__), "..", "..", "configs", "mods")


def normal(*shape, dtype=np.float32):
    return random.standard_normal(shape).astype(dtype)


def operands(batch=2, heads=4, queries=37, keys=45, head_dim=16, value_dim=None, kv_heads=2):
    kv_heads = kv_heads or heads
    shapes = ((heads, queries, head_dim), (kv_heads, keys, head_dim), (kv_heads, keys, value_dim or head_dim))
    return [normal(batch, *shape) for shape in shapes]


def causal(b, h, q, kv):
    return q >= kv


class Programs(unittest.TestCase):
    def check(self, arrays, score=None, mask=None, atol=2e-6, scale=None, **arguments):
        expected = Attention(*arrays, score, mask, scale, **arguments)
        out, lse = attn.attention(*arrays, score, mask, scale=scale, return_lse=True, **arguments)
        np.testing.assert_allclose(out, expected.out, atol=atol, rtol=0)
        np.testing.assert_allclose(lse, expected.lse, atol=atol, rtol=1e-6)
        self.assertEqual((out.dtype, lse.dtype, out.flags.c_contiguous), (arrays[0].dtype, np.float32, True))

    def test_plain(self):
        self.check(operands())
        self.check(operands(queries=1, keys=3, batch=1, kv_heads=4))

    def test_causal_with_groups_and_other_channels_of_values(self):
        self.check(operands(kv_heads=2, value_dim=24), mask=causal)

    def test_softcap_in_windows_by_one_kernel(self):
        compiled = set()
        for cap, window in ((1.0, 5), (2.5, 9)):
            self.check(
                operands(),
                lambda s, b, h, q, kv: cap * np.tanh(s / cap),
                lambda b, h, q, kv: (q >= kv) & (q - kv < window),
                scale=0.5,
            )
            compiled.add(attn._attention._kernel.cache_info().misses)
        self.assertEqual(len(compiled), 1)

    def test_captured_types_and_strides(self):
        seen = random.integers(0, 2, (45, 2)).astype(bool)[:, 1]
        shift = random.integers(-3, 3, (4, 37)).astype(np.int8).T[:, ::2]
        self.check(operands(), lambda s, b, h, q, kv: s + shift[q, h // 2] * 0.25 + seen[kv])

    def test_query_offset_and_lengths(self):
        arrays = operands(queries=4)
        lengths = np.array([45, 17], np.int32)
        self.check(arrays, mask=causal, lengths=lengths, query_offset=lengths - 4)

    def test_no_elements(self):
        query, key, value = operands(keys=1)
        out, lse = attn.attention(query, key[:, :, :0], value[:, :, :0], return_lse=True)
        self.assertTrue((out == 0).all() and (lse == -np.inf).all())
        out, lse = attn.attention(query[:, :, :0], key, value, return_lse=True)
        self.assertEqual((out.shape, lse.shape), ((2, 4, 0, 16), (2, 4, 0)))


class Memory(unittest.TestCase):
    def test_strides(self):
        query, key, value = operands()
        expected, _ = attn.attention(query, key, value, return_lse=True)

        def positions_first(x):
            return np.ascontiguousarray(x.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3)

        wide = np.zeros((2, 5, 50, 40), np.float32)
        wide[:, :4, :37, 3:19] = query
        out = np.zeros((37, 2, 4, 20), np.float32).transpose(1, 2, 0, 3)[..., :16]
        shared = np.broadcast_to(key[:1], key.shape)
        given = (wide[:, :4, :37, 3:19], positions_first(key), positions_first(value))
        got, _ = attn.attention(*given, return_lse=True, out=out)
        self.assertIs(got, out)
        np.testing.assert_array_equal(got, expected)
        got, _ = attn.attention(query[:, :, ::-1], key, value[:, :, ::-1], return_lse=True)
        reversed_ = Attention(query[:, :, ::-1], key, value[:, :, ::-1])
        np.testing.assert_allclose(got, reversed_.out, atol=2e-6)
        got, _ = attn.attention(query, shared, value, return_lse=True)
        np.testing.assert_array_equal(got[0], expected[0])
        np.testing.assert_allclose(got, Attention(query, shared, value).out, atol=2e-6)

    def test_half(self):
        arrays = [x.astype(np.float16) for x in operands(value_dim=24)]
        out = attn.attention(*arrays, mask_mod=causal)
        self.assertEqual(out.dtype, np.float16)
        np.testing.assert_allclose(out, Attention(*arrays, mask=causal).out, atol=2e-3)

    def test_bfloat16_as_bits(self):
        bits = [(x.view(np.uint32) >> 16).astype(np.uint16) for x in operands()]
        floats = [(x.astype(np.uint32) << 16).view(np.float32) for x in bits]
        out, lse = attn.attention(*map(attn.bfloat16, bits), return_lse=True)
        got = (out.array.astype(np.uint32) << 16).view(np.float32)
        np.testing.assert_allclose(got, Attention(*floats).out, atol=1e-2)
        self.assertEqual(lse.dtype, np.float32)

    def test_bfloat16_as_a_type(self):
        try:
            from ml_dtypes import bfloat16
        except ImportError:
            self.skipTest("ml_dtypes is not installed")
        arrays = [x.astype(bfloat16) for x in operands()]
        slopes = normal(4).astype(bfloat16)
        out = attn.attention(*arrays, lambda s, b, h, q, kv: s + slopes[h] * kv)
        self.assertEqual(out.dtype, bfloat16)
        exact = slopes.astype(np.float64)
        expected = Attention(*arrays, lambda s, b, h, q, kv: s + exact[h] * kv)
        np.testing.assert_allclose(out.astype(np.float64), expected.out, atol=2e-2)


class Kernels(unittest.TestCase):
    def test_alibi_of_a_file(self):
        mod = attn.Mod.from_file(os.path.join(CONFIGS, "alibi.mlir"))
        arrays = operands()
        captures = mod.make_captures(attn.Sizes(2, 4, 37, 45, head_dim=16))
        slopes = np.asarray(captures["slopes"])
        np.testing.assert_allclose(slopes, 2.0 ** (-2.0 * np.arange(1, 5)))
        out = attn.Kernel(mod, attn.Spec(16))(*arrays, captures=captures)
        expected = Attention(*arrays, lambda s, b, h, q, kv: s + slopes[h] * (kv - q), causal)
        np.testing.assert_allclose(out, expected.out, atol=2e-6)

    def test_what_functions_capture_can_be_replaced(self):
        slopes = normal(4)
        mod = attn.Mod.from_functions(lambda s, b, h, q, kv: s + slopes[h] * kv)
        kernel, arrays, other = attn.Kernel(mod, attn.Spec(16)), operands(), normal(4)
        first = kernel(*arrays)
        replaced = kernel(*arrays, captures={"slopes": other})
        slopes[:] = other
        np.testing.assert_array_equal(kernel(*arrays), replaced)
        self.assertTrue((first != replaced).any())

    def test_scalars_of_each_type(self):
        """Each has a value of its own, and halves are rounded to even."""
        values = {"bf16": 1 + 2.0**-8, "f16": 8 + 2.0**-8, "i64": -(2**40), "i16": -300, "i8": -7, "i1": True}
        declared = ", ".join(f"%{type_}: {type_}" for type_ in values)
        mod = attn.Mod.from_source(
            f"""attn.mod @scalars({declared}) score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {{
              %0 = arith.extf %bf16 : bf16 to f32
              %1 = arith.extf %f16 : f16 to f32
              %2 = arith.sitofp %i64 : i64 to f32
              %3 = arith.sitofp %i16 : i16 to f32
              %4 = arith.sitofp %i8 : i8 to f32
              %5 = arith.uitofp %i1 : i1 to f32
              %k0 = arith.constant 1.0e-12 : f32
              %k1 = arith.constant 1.0e-2 : f32
              %6 = arith.mulf %2, %k0 : f32
              %7 = arith.mulf %3, %k1 : f32
              %a = arith.addf %0, %1 : f32
              %c = arith.addf %6, %7 : f32
              %d = arith.addf %4, %5 : f32
              %e = arith.addf %a, %c : f32
              %t = arith.addf %e, %d : f32
              attn.yield %t : f32
            }}"""
        )
        kernel = attn.Kernel(mod, attn.Spec(16, lse=True))
        query, key, value = operands(queries=64, keys=1)
        _, lse = kernel(query, key, value, captures=values)
        np.testing.assert_allclose(lse, 1 + 8 - 2.0**40 * 1e-12 - 3 - 7 + 1, rtol=1e-5)
        values["bf16"], values["i8"] = np.float32(1 + 3 * 2.0**-8), np.array(-6, np.int8)
        _, lse = kernel(query, key, value, captures=values)
        np.testing.assert_allclose(lse, 1 + 2.0**-6 + 8 - 2.0**40 * 1e-12 - 3 - 6 + 1, rtol=1e-5)

    def test_prepared_with_a_workspace_and_tiles(self):
        documents = np.sort(random.integers(0, 4, (2, 300)).astype(np.int64))

        def mask(b, h, q, kv):
            return (documents[b, q] == documents[b, kv]) & (q != 5)  # a row without keys

        kernel = attn.Kernel(attn.Mod.from_functions(mask_mod=mask), attn.Spec(16, lse=True))
        sizes = attn.Sizes(2, 4, 300, 300, kv_heads=2)
        kernel.prepare(sizes)
        self.assertTrue(kernel.needs_tiles)
        self.assertGreater(kernel.compile_seconds, 0)
        self.assertIn("#attn.schedule", kernel.schedule)
        room = np.zeros(kernel.workspace_bytes(sizes) + 16, np.uint8)
        room = room[-room.ctypes.data % 16 :]
        arrays = operands(queries=300, keys=300)
        out, lse = np.empty((2, 4, 300, 16), np.float32), np.empty((2, 4, 300), np.float32)
        got = kernel(*arrays, tiles=kernel.find_tiles(sizes), workspace=room, out=out, lse=lse)
        self.assertTrue(got[0] is out and got[1] is lse)
        expected = Attention(*arrays, mask=mask)
        np.testing.assert_allclose(out, expected.out, atol=2e-6)
        np.testing.assert_allclose(lse, expected.lse, atol=2e-6)
        # Without lists a call finds them.
        np.testing.assert_array_equal(kernel(*arrays)[0], out)

    def test_ragged(self):
        queries, keys = np.array([0, 5, 5, 17], np.int32), np.array([0, 9, 20, 33], np.int32)
        query, key, value = operands(1, queries=17, keys=33)
        rank, turn = normal(13), normal(12)  # for the longest sequence
        out, lse = attn.attention(
            query,
            key,
            value,
            lambda s, b, h, q, kv: s + rank[kv] * b + turn[q] * kv,
            causal,
            query_starts=queries,
            key_starts=keys,
            return_lse=True,
        )
        for i in range(3):
            of_query, of_key = slice(*queries[i : i + 2]), slice(*keys[i : i + 2])
            part = (query[:, :, of_query], key[:, :, of_key], value[:, :, of_key])
            expected = Attention(*part, lambda s, b, h, q, kv: s + rank[kv] * i + turn[q] * kv, causal)
            np.testing.assert_allclose(out[:, :, of_query], expected.out, atol=2e-6)
            np.testing.assert_allclose(lse[:, :, of_query], expected.lse, atol=2e-6)

    def test_pages(self):
        rows, lengths = 8, np.array([19, 30], np.int32)
        table = random.permutation(12)[:8].reshape(2, 4).astype(np.int32)
        query, key, value = operands(12, 2, queries=3, keys=rows)
        query = query[:2]
        offset = 17
        out = attn.attention(query, key, value, mask_mod=causal, lengths=lengths, query_offset=offset, pages=table)
        gathered = [x[table].transpose(0, 2, 1, 3, 4).reshape(2, 2, 4 * rows, 16) for x in (key, value)]
        expected = Attention(query, *gathered, mask=causal, lengths=lengths, query_offset=offset)
        np.testing.assert_allclose(out, expected.out, atol=2e-6)


if __name__ == "__main__":
    unittest.main()
