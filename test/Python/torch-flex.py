"""flex_attention for torch on the CPU: results, operands, positions, errors, against the definition in f64.

RUN: env PYTHONPATH=%source/python ATTN_LIBRARY=%libattn %python %s
REQUIRES: torch
UNSUPPORTED: sanitized
"""

import os
import subprocess
import sys
import unittest
import unittest.mock

import attn
import torch
from torch.nn.attention import flex_attention as of_torch

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "Inputs"))
import torch_reference as reference  # noqa: E402

torch.manual_seed(19)
SLOPES = torch.rand(4)


def operands(batch=2, heads=4, kv_heads=4, queries=33, keys=41, dim=16, value_dim=24, dtype=torch.float32):
    shapes = ((heads, queries, dim), (kv_heads, keys, dim), (kv_heads, keys, value_dim))
    return [torch.randn(batch, h, n, d).to(dtype) for h, n, d in shapes]


def causal(b, h, q, kv):
    return q >= kv


def alibi(score, b, h, q, kv):
    return score + SLOPES[h] * (kv - q)


def mask_of(mask_mod, query, key, **more):
    return attn.create_block_mask(mask_mod, None, None, query.shape[2], key.shape[2], device="cpu", **more)


class Case(unittest.TestCase):
    def check(self, arrays, score=None, mask=None, block_mask=None, bound=3e-5, **more):
        block_mask = mask_of(mask, *arrays[:2]) if mask and block_mask is None else block_mask
        out, lse = attn.flex_attention(*arrays, score, block_mask, return_lse=True, **more)
        expected = reference.attention(*arrays, score, mask)
        self.assertEqual((out.dtype, lse.dtype, lse.shape), (arrays[0].dtype, torch.float32, out.shape[:3]))
        self.assertLessEqual(reference.error(out, expected[0]), bound)
        self.assertLessEqual(reference.error(lse, expected[1]), 3e-5)
        return out


class Results(Case):
    def test_types(self):
        for dtype, bound in ((torch.float32, 3e-5), (torch.float16, 4e-3), (torch.bfloat16, 3e-2)):
            self.check(operands(dtype=dtype), alibi, causal, bound=bound)

    def test_results_that_are_asked_for(self):
        arrays = operands()
        out, lse = attn.flex_attention(*arrays, return_lse=True)
        alone = attn.flex_attention(*arrays)
        self.assertIsInstance(alone, torch.Tensor)
        for request in (attn.torch.AuxRequest(lse=True), of_torch.AuxRequest(lse=True)):
            got, others = attn.flex_attention(*arrays, return_aux=request)
            self.assertTrue(torch.equal(got, out) and torch.equal(others.lse, lse))
            self.assertIsNone(others.max_scores)
        self.assertIsNone(attn.flex_attention(*arrays, return_aux=attn.torch.AuxRequest())[1].lse)

    def test_scale_and_options(self):
        arrays = operands()
        expected = reference.attention(*arrays, None, None, scale=0.5)[0]
        out = attn.flex_attention(*arrays, scale=0.5, kernel_options={"BLOCK_M": 64, "bwd_num_stages": 2})
        self.assertLessEqual(reference.error(out, expected), 3e-5)

    def test_rows_without_keys(self):
        arrays = operands(queries=5, keys=7)
        self.check(arrays, None, lambda b, h, q, kv: q > kv)
        out = attn.flex_attention(*arrays, lambda s, b, h, q, kv: attn.where(q == 2, -float("inf"), s))
        self.assertEqual(out[:, :, 2].abs().max(), 0)

    def test_a_mod(self):
        mod = attn.Mod.from_functions(alibi, causal)
        arrays = operands()
        out = attn.flex_attention(*arrays, mod)
        self.assertLessEqual(reference.error(out, reference.attention(*arrays, alibi, causal)[0]), 3e-5)
        with self.assertRaisesRegex(attn.Error, "expects a Mod, which may have a mask, or a block_mask, got both"):
            attn.flex_attention(*arrays, mod, mask_of(causal, *arrays[:2]))
        with self.assertRaisesRegex(attn.Error, "expects 'lengths' for mod '@recorded', got none"):
            attn.flex_attention(*arrays, mod.with_lengths())
        mod = attn.Mod.from_source(attn.mod_source(alibi).text)
        with self.assertRaisesRegex(attn.Error, "expects 'SLOPES' for mod '@recorded', got none"):
            attn.flex_attention(*arrays, mod)

    def test_numbers_and_lengths_compile_nothing(self):
        def call(window, queries):
            arrays = operands(queries=queries)
            self.check(arrays, None, lambda b, h, q, kv: (q - kv).abs() <= window)

        call(3, 33)
        with unittest.mock.patch.object(attn.torch._plans, "Forward", side_effect=AssertionError):
            call(4, 34)
            call(9, 50)


class Operands(Case):
    def test_order_of_strides(self):
        arrays = [x.transpose(1, 2).contiguous().transpose(1, 2) for x in operands()]
        out = self.check(arrays, None, causal)
        self.assertEqual(out.transpose(1, 2).is_contiguous(), True)
        arrays = [x.permute(2, 0, 1, 3).contiguous().permute(1, 2, 0, 3) for x in operands()]
        self.assertTrue(self.check(arrays, None, causal).permute(2, 0, 1, 3).is_contiguous())

    def test_parts_of_memory(self):
        self.check([x[:, :, 1::2] for x in operands()], None, causal)
        self.check([x[..., ::2] for x in operands(dim=32, value_dim=48)], None, causal)
        self.check([x.mT.contiguous().mT for x in operands()], None, causal)
        self.check([x[:1].expand(3, -1, -1, -1) for x in operands()], None, causal)

    def test_groups_and_batches(self):
        self.check(operands(kv_heads=2), None, causal, enable_gqa=True)
        query, key, value = operands()
        self.check([query, key[:1], value[:1]], None, causal)

    def test_sizes_of_zero(self):
        self.assertEqual(attn.flex_attention(*operands(queries=0)).shape, (2, 4, 0, 24))
        self.assertEqual(attn.flex_attention(*operands(keys=0)).abs().max(), 0)

    def test_autocast(self):
        with torch.autocast("cpu", torch.bfloat16):
            self.assertEqual(attn.flex_attention(*operands()).dtype, torch.bfloat16)

    def test_positions(self):
        query, key, value = operands()
        offsets = torch.tensor([3, 8], dtype=torch.int32)
        for given, of_each in ((5, 5), (offsets, offsets.reshape(2, 1, 1, 1))):
            out = attn.flex_attention(query, key, value, None, mask_of(causal, query, key), query_offset=given)
            expected = reference.attention(query, key, value, None, causal, query_offset=of_each)[0]
            self.assertLessEqual(reference.error(out, expected), 3e-5)
        lengths = torch.tensor([30, 7], dtype=torch.int32)
        out = attn.flex_attention(query, key, value, lengths=lengths)
        expected = reference.attention(query, key, value, None, lambda b, h, q, kv: kv < lengths[b])[0]
        self.assertLessEqual(reference.error(out, expected), 3e-5)

    def test_sequences_one_behind_another(self):
        starts = torch.tensor([0, 7, 20], dtype=torch.int32)
        packed = [x[:1, :, :20] for x in operands()]
        table = torch.randn(13)  # of positions in a sequence

        def bias(score, b, h, q, kv):
            return score + table[q]

        out = attn.flex_attention(*packed, bias, query_starts=starts, key_starts=starts)
        for begin, end in ((0, 7), (7, 20)):
            expected = reference.attention(*(x[:, :, begin:end] for x in packed), bias)[0]
            self.assertLessEqual(reference.error(out[:, :, begin:end], expected), 3e-5)
        with self.assertRaisesRegex(attn.Error, r"expects torch.no_grad\(\) with query_starts"):
            attn.flex_attention(packed[0].requires_grad_(), *packed[1:], query_starts=starts, key_starts=starts)
        with self.assertRaisesRegex(attn.Error, "reads index 19 of dimension 0"):
            attn.flex_attention(*(x.detach() for x in packed), bias)

    def test_pages(self):
        query, key, value = operands(batch=1, queries=3, keys=12)
        pages = torch.tensor([[2, 0, 1]], dtype=torch.int32)
        of_pages = [x.reshape(4, 3, 4, -1).transpose(0, 1)[[1, 2, 0]] for x in (key, value)]
        lengths = torch.tensor([11], dtype=torch.int32)
        out = attn.flex_attention(query, *of_pages, pages=pages, lengths=lengths)
        expected = reference.attention(query, key[:, :, :11], value[:, :, :11])[0]
        self.assertLessEqual(reference.error(out, expected), 3e-5)


class Errors(Case):
    def refuses(self, text, *arguments, **named):
        with self.assertRaisesRegex(attn.Error, text):
            attn.flex_attention(*arguments, **named)

    def test_operands(self):
        query, key, value = operands()
        self.refuses("expects as many heads of 'key' and 'value' as of 'query', 4, got 2: enable_gqa=True",
                     query, key[:, :2], value[:, :2])
        self.refuses("expects 4 heads of 'query' to be a multiple of those of 'key', got 3",
                     query, key[:, :3], value[:, :3], enable_gqa=True)
        self.refuses("expects 'key' with 16 channels as 'query' has, got 8", query, key[..., :8], value)
        self.refuses(r"expects 'value' of the batch, heads and positions of 'key', got \(2, 4, 9\) and \(2, 4, 41\)",
                     query, key, value[:, :, :9])
        self.refuses("expects 'key' and 'value' with a batch of 4 or 1, got 2", query.repeat(2, 1, 1, 1), key, value)
        self.refuses(r"expects 'query' of shape \(batch, heads, positions, channels\), got \(4, 33, 16\)",
                     query[0], key, value)
        self.refuses("expects 'query' of float32, float16, bfloat16, got float64", query.double(), key, value)
        self.refuses("expects 'query' and 'key' of one type, got float32 and float16", query, key.half(), value)
        self.refuses("expects 'value' to be a tensor of torch, got 'list'", query, key, [1])
        on_meta = [x.to("meta") for x in (query, key, value)]
        self.refuses("expects 'query' on the CPU or a GPU of CUDA, got it on meta", *on_meta)
        self.refuses("expects 'key' on cpu as 'query' is, got it on meta", query, key.to("meta"), value)

    def test_arguments(self):
        arrays = operands()
        options = {"OUTPUT_MAX": 1}
        self.refuses("expects kernel_options that only tune, got 'OUTPUT_MAX'", *arrays, kernel_options=options)
        self.refuses("expects no 'max_scores' in return_aux", *arrays, return_aux=of_torch.AuxRequest(max_scores=True))
        pages = torch.zeros(2, 1, dtype=torch.int32)
        self.refuses("expects 'lengths' with 'pages', got none", *arrays, pages=pages)
        self.refuses("expects return_lse or return_aux, got both", *arrays, return_lse=True,
                     return_aux=attn.torch.AuxRequest())
        self.refuses("expects 'score_mod' to be a function or an attn.Mod, got 'int'", *arrays, 3)
        self.refuses("expects 'block_mask' of create_block_mask\\(\\), got 'function'", *arrays, None, causal)
        with self.assertRaisesRegex(attn.RecordError, "torch-flex.py:.*error: a condition has no value"):
            attn.flex_attention(*arrays, lambda s, b, h, q, kv: s if q > kv else -s)

    def test_masks_that_do_not_fit(self):
        arrays = operands()
        made = [attn.create_block_mask, of_torch.create_block_mask]
        for make in made:
            mask = make(causal, None, None, 128, 128, device="cpu")
            refused = "expects 'block_mask' of 33 queries and 41 keys .* got one of 128 and 128"
            self.refuses(refused, *arrays, None, mask)
            mask = make(causal, 3, None, 33, 41, device="cpu")
            self.refuses("expects 'block_mask' with batch of 1 or 2 as 'query' has, got 3", *arrays, None, mask)
            mask = make(causal, None, 2, 33, 41, device="cpu")
            self.refuses("expects 'block_mask' with heads of 1 or 4 as 'query' has, got 2", *arrays, None, mask)
        mask = attn.create_block_mask(causal, None, None, 33, 41, device="meta")
        self.refuses("expects 'block_mask' on cpu as 'query' is, got it on meta", *arrays, None, mask)


class Package(unittest.TestCase):
    def test_torch_is_imported_when_it_is_needed(self):
        program = "import sys, attn; assert 'torch' not in sys.modules; attn.or_masks; assert 'torch' in sys.modules"
        subprocess.run([sys.executable, "-c", program], check=True)
        with self.assertRaisesRegex(AttributeError, "module 'attn' has no attribute 'nothing'"):
            attn.nothing

    def test_redirection(self):
        before = of_torch.flex_attention, of_torch.create_block_mask
        attn.torch.install()
        attn.torch.install()
        try:
            self.assertIs(of_torch.flex_attention, attn.flex_attention)
            self.assertIs(of_torch.create_block_mask, attn.create_block_mask)
        finally:
            attn.torch.uninstall()
        self.assertEqual((of_torch.flex_attention, of_torch.create_block_mask), before)
        attn.torch.uninstall()


if __name__ == "__main__":
    unittest.main()
