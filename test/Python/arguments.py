"""What a call may not be given: each mistake has its text, before anything is written.

RUN: env PYTHONPATH=%source/python ATTN_LIBRARY=%libattn %python %s
REQUIRES: numpy
UNSUPPORTED: sanitized
"""

import collections
import unittest

import attn
import numpy as np

slopes, ids = np.ones(4, np.float32), np.zeros(9, np.int32)
MOD = attn.Mod.from_source("""attn.mod @both(%slopes: tensor<?xf32>, %ids: tensor<?xi32>, %cap: f32, %far: i32)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %slope = attn.load %slopes[%h] : tensor<?xf32>
    %x = arith.mulf %slope, %cap : f32
    %t = arith.addf %s, %x : f32
    attn.yield %t : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %id = attn.load %ids[%kv] : tensor<?xi32>
    %keep = arith.cmpi slt, %id, %far : i32
    attn.yield %keep : i1
  }""")
CAPTURES = {"slopes": slopes, "ids": ids, "cap": 2, "far": 1}
QUERY, KEY, VALUE = (np.ones(shape, np.float32) for shape in ((1, 4, 7, 8), (1, 2, 9, 8), (1, 2, 9, 8)))
_kernels = {}


def kernel(mod=MOD, **spec):
    key = (mod, *spec.items())
    if key not in _kernels:
        _kernels[key] = attn.Kernel(mod, attn.Spec(8, **spec))
    return _kernels[key]


class Arguments(unittest.TestCase):
    def fails(self, text, query=QUERY, key=KEY, value=VALUE, of=None, captures=CAPTURES, **arguments):
        with self.assertRaises(attn.Error) as raised:
            (of or kernel())(query, key, value, captures=captures, **arguments)
        self.assertIn(text, str(raised.exception))

    def test_none_of_it_is_wrong(self):
        self.assertTrue(np.allclose(kernel()(QUERY, KEY, VALUE, captures=CAPTURES), 1))

    def test_shapes(self):
        self.fails("expects 'query' of shape (batch, heads, positions, channels), got (4, 7, 8)", query=QUERY[0])
        self.fails("expects 'query' head dimension 8, got 4", query=QUERY[..., :4])
        self.fails("expects 'key' batch size 1, got 2", key=np.ones((2, 2, 9, 8), np.float32))
        self.fails("multiple of the 2 key heads, got 3", query=QUERY[:, :3])
        self.fails("expects 'value' length 9, got 8", value=VALUE[:, :, :8])
        self.fails("expects 'out' length 7, got 9", out=np.ones((1, 4, 9, 8), np.float32))

    def test_types(self):
        self.fails("expects 'query' of f32, got f16", query=QUERY.astype(np.float16))
        self.fails("expects 'key' of float32, float16, bfloat16, got float64", key=KEY.astype(np.float64))
        self.fails("expects 'key' of float32, float16, bfloat16, got object", key=KEY.astype(object))
        self.fails("got uint16: attn.bfloat16(x) takes its bits as bfloat16", value=VALUE.astype(np.uint16))
        self.fails("expects 'value' to be an array of numpy or a tensor of torch, got 'list'", value=[1.0])
        self.fails("expects 'query' in this machine's byte order, got '>f4'", query=QUERY.astype(">f4"))
        of_bfloat16 = kernel(attn.Mod.from_source("attn.mod @plain"), type="bfloat16")
        self.fails("expects 'query' of bf16, got f32", of=of_bfloat16, captures=None)
        for type_ in ("float16", np.float16, np.dtype("float16")):
            self.assertEqual(attn.Spec(8, type=type_).to_c().type, 2)
        with self.assertRaisesRegex(attn.Error, "expects an array of uint16 for attn.bfloat16, got float32"):
            attn.bfloat16(QUERY)

    def test_memory(self):
        wide = np.ones((1, 4, 7, 16), np.float32)
        self.fails("expects 'query' with channels of stride 1, got 2", query=wide[..., ::2])
        self.fails("expects 'key' with channels of stride 1, got -1", key=KEY[..., ::-1])
        packed = np.zeros(7, [("x", np.float32, 8), ("y", np.int16)])["x"].reshape(1, 1, 7, 8)
        self.fails("expects 'query' with strides of whole elements", query=np.broadcast_to(packed, (1, 4, 7, 8)))
        odd = np.zeros(QUERY.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(QUERY.shape)
        self.fails("expects 'query' aligned to its elements of 4 bytes", query=odd)
        out = QUERY.copy()
        out.flags.writeable = False
        self.fails("expects 'out' that can be written, got a read-only array", out=out)

    def test_lse(self):
        with_lse = kernel(lse=True)
        lse = np.ones((1, 4, 7), np.float32)
        self.fails("expects no 'lse': the kernel was compiled without it", lse=lse)
        self.fails("expects 'lse' of shape (1, 4, 7), got (4, 7)", of=with_lse, lse=lse[0])
        self.fails("expects 'lse' of float32, got float64", of=with_lse, lse=lse.astype(np.float64))
        apart = np.ones((1, 7, 4), np.float32).swapaxes(1, 2)
        self.fails("expects 'lse' to be contiguous, got strides (28, 1, 4)", of=with_lse, lse=apart)

    def test_captures(self):
        def given(**captures):
            return {name: value for name, value in {**CAPTURES, **captures}.items() if value is not None}

        self.fails("expects 'slopes' for mod '@both', got none", captures=given(slopes=None))
        expected = "expects captures of '@both' (slopes, ids, cap, far), got 'slope'"
        self.fails(expected, captures=given(slope=slopes))
        self.fails("expects capture 'slopes' of f32, got f64", captures=given(slopes=slopes.astype(np.float64)))
        self.fails("expects capture 'slopes' of rank 1, got 2", captures=given(slopes=slopes[None]))
        self.fails("expects 'slopes' to be an array of numpy or a tensor of torch, got 'int'", captures=given(slopes=3))
        self.fails("expects 'ids' of float32, float16", captures=given(ids=ids.astype(np.uint32)))
        self.fails("stride", captures=given(slopes=slopes[::-1]))
        self.fails("expects 'cap' to be a number, got 'str'", captures=given(cap="2"))
        self.fails("expects 'cap' to be a number, got an array of shape (4,)", captures=given(cap=slopes))
        self.fails("expects 'far' to be an integer, got 1.5", captures=given(far=1.5))
        self.fails(f"expects 'far' to fit int32, got {2**31}", captures=given(far=2**31))
        self.fails("expects no 'query_offset': mod '@both' has none", query_offset=1)
        self.fails("expects no 'lengths': mod '@both' has none", lengths=ids)

    def test_out_of_bounds(self):
        """Found before the kernel reads there, with the load's place, for each shape."""
        for captures, text in (
            ({"slopes": slopes[:3]}, "mod.mlir:3:14: error: 'attn.load' op reads index 3 of dimension 0, which has 3"),
            ({"ids": ids[:8]}, "mod.mlir:8:11: error: 'attn.load' op reads index 8 of dimension 0, which has 8"),
        ):
            self.fails(text, captures={**CAPTURES, **captures})
            with self.assertRaises(attn.Error):
                MOD.check(attn.Sizes(1, 4, 7, 9, 2), {**CAPTURES, **captures})
        longer = np.ones((1, 2, 10, 8), np.float32)
        self.fails("reads index 9 of dimension 0, which has 9", key=longer, value=longer)
        MOD.check(attn.Sizes(1, 4, 7, 9, 2), CAPTURES)

    def test_sequences(self):
        plain = attn.Mod.from_source("attn.mod @plain")
        ragged, starts = kernel(plain, ragged_queries=True, checked=True), np.array([0, 7], np.int32)
        given = {"of": ragged, "captures": None}
        self.fails("expects starts of sequences of 'query', got null", **given)
        self.fails("expects 'query_starts' of int32, got int64", query_starts=starts.astype(np.int64), **given)
        self.fails("expects 'query_starts' of shape (sequences + 1,), got (0,)", query_starts=starts[:0], **given)
        self.fails("expects 'query_starts' to be contiguous", query_starts=np.zeros(4, np.int32)[::2], **given)
        self.fails("expects no starts of sequences of 'key'", query_starts=starts, key_starts=starts, **given)
        self.fails("starts", query_starts=np.array([0, 8], np.int32), **given)
        paged, table = kernel(plain.with_lengths(), paged=True), np.zeros((1, 1), np.int32)
        given = {"of": paged, "captures": None, "lengths": np.array([3], np.int32)}
        self.fails("expects 'pages' for a kernel of KernelSpec::paged, got none", **given)
        expected = "expects 'pages' of int32 and shape (sequences, most pages), got int32 (1,)"
        self.fails(expected, pages=table[0], **given)
        self.fails("expects 'pages' of i32, got i64", pages=table.astype(np.int64), **given)
        self.fails("expects 'pages' batch size 1, got 2", pages=np.zeros((2, 1), np.int32), **given)
        given["lengths"] = np.array([3, 4], np.int32)
        self.fails("batch size 1, got 2", pages=table, **given)

    def test_workspace(self):
        room = np.zeros(64, np.uint8)
        self.fails("expects 'workspace' aligned to 16 bytes", workspace=room[-room.ctypes.data % 16 + 1 :])
        self.fails("expects 'workspace' of uint8, got float32", workspace=np.zeros(64, np.float32))

    def test_functions(self):
        with self.assertRaisesRegex(attn.Error, "expects a mod or functions, got both"):
            attn.attention(QUERY, KEY, VALUE, lambda s, *_: s, mod=MOD)
        with self.assertRaisesRegex(attn.RecordError, r"arguments.py:\d+:\d+: error: "):
            attn.attention(QUERY, KEY, VALUE, mask_mod=lambda b, h, q, kv: q > kv and h > 0)


class Elsewhere:
    """As much of a tensor of torch as is looked at."""

    shape, dtype, requires_grad = QUERY.shape, "float32", False

    def __init__(self, device):
        self.device = collections.namedtuple("Device", "type index")(device, 3)

    def data_ptr(self):
        return 1 << 20

    def stride(self):
        return 40, 40, 8, 1


class Devices(unittest.TestCase):
    def test_others_than_the_cpu(self):
        refused = "expects 'query' on the CPU or a GPU of CUDA, got a tensor on"
        with self.assertRaisesRegex(attn.Error, refused):
            attn.attention(Elsewhere("mps"), KEY, VALUE)
        with self.assertRaisesRegex(attn.Error, "expects 'value' on cuda:3, got it on the CPU"):
            attn.attention(Elsewhere("cuda"), KEY, VALUE)
        kernel = attn.Kernel(attn.Mod.from_source("attn.mod @plain"), attn.Spec(8))
        with self.assertRaisesRegex(attn.Error, "expects 'key' on the CPU, got it on cuda:3"):
            kernel(QUERY, Elsewhere("cuda"), VALUE)


if __name__ == "__main__":
    unittest.main()
