"""Gradients of attention of numpy's arrays against the definition in f64.

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
from reference import Attention, by_differences

random = np.random.default_rng(20)


def normal(*shape, dtype=np.float32):
    return random.standard_normal(shape).astype(dtype)


def operands(batch=2, queries=33, keys=41, value_dim=24):
    return normal(batch, 4, queries, 16), normal(batch, 2, keys, 16), normal(batch, 2, keys, value_dim)


def causal(b, h, q, kv):
    return q >= kv


def compare(got, expected, atol=2e-5):
    for name, a, e in zip(("query", "key", "value"), got, expected):
        np.testing.assert_allclose(a, e, atol=atol, rtol=0, err_msg=name)


class Gradients(unittest.TestCase):
    def test_operands_captures_and_lse(self):
        slopes = normal(4)

        def score(s, b, h, q, kv, slopes=slopes, cap=2.0):
            return cap * np.tanh(s / cap) + slopes[h] * (kv - q) / 16

        arrays = operands()
        (out, lse), backward = attn.attention_vjp(*arrays, score, causal, wrt=["slopes", "cap"], return_lse=True)
        expected = Attention(*arrays, score, causal)
        np.testing.assert_allclose(out, expected.out, atol=2e-6)
        np.testing.assert_allclose(lse, expected.lse, atol=2e-6)
        grad_out, grad_lse = normal(*out.shape), normal(*lse.shape)
        got = backward(grad_out, grad_lse)
        compare(got, expected.gradients(grad_out, grad_lse))

        def loss(**captures):
            result = Attention(*arrays, lambda *at: score(*at, **captures), causal)
            return (result.out * grad_out).sum() + (result.lse * grad_lse).sum()

        for name, value in (("slopes", slopes), ("cap", np.array(2.0))):
            of_capture, differences = got.captures[name], by_differences(lambda x: loss(**{name: x}), value)
            self.assertEqual((of_capture.dtype, of_capture.shape), (np.float32, value.shape))
            np.testing.assert_allclose(of_capture, differences, rtol=1e-4, atol=1e-4, err_msg=name)
        # Without a gradient of the LSE it is zeros; one number may stand for all of out's.
        got = backward(np.broadcast_to(np.float32(1), (*out.shape[:3], 1)).repeat(24, 3))
        compare(got, expected.gradients(np.ones(out.shape)))

    def test_lengths_offset_and_rows_without_keys(self):
        arrays, lengths = operands(), np.array([41, 7], np.int32)
        given = {"query_offset": np.array([8, -3], np.int32), "lengths": lengths}
        out, backward = attn.attention_vjp(*arrays, mask_mod=causal, deterministic=True, **given)
        expected, grad_out = Attention(*arrays, mask=causal, **given), normal(*out.shape)
        np.testing.assert_allclose(out, expected.out, atol=2e-6)
        first = backward(grad_out)
        compare(first, expected.gradients(grad_out))
        self.assertTrue((first.key[1, :, 7:] == 0).all() and (first.query[1, :, :3] == 0).all())
        for a, b in zip(first[:3], backward(grad_out)[:3]):
            np.testing.assert_array_equal(a, b)

    def test_memory_that_is_given(self):
        mod, spec = attn.Mod.from_source("attn.mod @plain"), attn.Spec(16, value_dim=24)
        kernel, gradient = attn.Kernel(mod, spec._replace(lse=True)), attn.Gradient(mod, spec)
        arrays = operands()
        out, lse = kernel(*arrays)
        sizes = attn.Sizes(2, 4, 33, 41, 2, 16, 24)
        gradient.prepare(sizes)
        room = np.zeros(gradient.workspace_bytes(sizes) + 16, np.uint8)
        room = room[-room.ctypes.data % 16 :]
        given = [np.empty((*x.shape[:3], x.shape[3] + 8), x.dtype)[..., : x.shape[3]] for x in arrays]
        names = dict(zip(("grad_query", "grad_key", "grad_value"), given))
        tiles = gradient.find_tiles(sizes)
        grad_out = normal(*out.shape)
        got = gradient(*arrays, out, lse, grad_out, workspace=room, tiles=tiles, **names)
        for a, b in zip(got, given):
            self.assertIs(a, b)
        compare(got, Attention(*arrays).gradients(grad_out))
        self.assertIn("#attn.schedule", gradient.schedule)
        self.assertGreater(gradient.compile_seconds, 0)
        with self.assertRaisesRegex(attn.Error, "expects tiles, got gradient tiles"):
            kernel(*arrays, tiles=tiles)
        for wrong, text in (
            (grad_out[:1], "'gradOut' batch size 2 like 'out', got 1"),
            (grad_out.astype(np.float16), "'gradOut' of f32, got f16"),
            (grad_out[..., ::2], "'grad_out' with channels of stride 1, got 2"),
        ):
            with self.assertRaisesRegex(attn.Error, text):
                gradient(*arrays, out, lse, wrong)
        with self.assertRaisesRegex(attn.Error, "expects no 'gradLse'"):
            gradient(*arrays, out, lse, grad_out, np.zeros((2, 4, 33), np.float32))
        with self.assertRaisesRegex(attn.Error, r"expects gradients of captures \(\), got 'x'"):
            gradient(*arrays, out, lse, grad_out, grad_captures={"x": lse})

    def test_half(self):
        arrays = [x.astype(np.float16) for x in operands()]
        out, backward = attn.attention_vjp(*arrays, mask_mod=causal)
        grad_out = normal(*out.shape, dtype=np.float16)
        got = backward(grad_out)
        self.assertEqual([x.dtype for x in got[:3]], [np.float16] * 3)
        compare(got, Attention(*arrays, mask=causal).gradients(grad_out), atol=2e-2)

    def test_what_has_no_gradients(self):
        slopes, ids = normal(4), np.zeros(41, np.int32)
        mod = attn.Mod.from_functions(lambda s, b, h, q, kv: s + slopes[h], lambda b, h, q, kv: ids[kv] == 0)
        for wrt, text in ((["slope"], "captures of '@recorded'"), (["ids"], "floats"), (["slopes"] * 2, "once")):
            with self.assertRaisesRegex(attn.Error, text):
                attn.Gradient(mod, attn.Spec(16), wrt)
        with self.assertRaisesRegex(attn.Error, "paged"):
            attn.Gradient(mod.with_lengths(), attn.Spec(16, paged=True))


if __name__ == "__main__":
    unittest.main()
