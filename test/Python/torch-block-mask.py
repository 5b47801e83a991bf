"""Block masks: what ours say beside torch's, and which decides, the lists or the program.

RUN: env PYTHONPATH=%source/python ATTN_LIBRARY=%libattn %python %s
REQUIRES: torch
UNSUPPORTED: sanitized
"""

import copy
import gc
import os
import sys
import unittest
import unittest.mock

import attn
import torch
from torch.nn.attention import flex_attention as of_torch

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "Inputs"))
import torch_reference as reference  # noqa: E402

torch.manual_seed(19)
LISTS = [f"{full}{of}_{what}" for full in ("", "full_") for of in ("kv", "q") for what in ("num_blocks", "indices")]
QUERIES, KEYS = 100, 90
ARRAYS = [torch.randn(2, 2, n, 16) for n in (QUERIES, KEYS, KEYS)]
DOCUMENT = torch.arange(100) // 30


def causal(b, h, q, kv):
    return q >= kv


def documents(b, h, q, kv):
    return DOCUMENT[q] == DOCUMENT[kv]


def of_heads(b, h, q, kv):
    return (q >= kv) & (q - kv <= 20 * h + 30 * b)


def both(mask_mod, B=None, H=None, **more):
    given = (mask_mod, B, H, QUERIES, KEYS)
    return [make(*given, device="cpu", **more) for make in (attn.create_block_mask, of_torch.create_block_mask)]


def states(mask):
    """Of a mask with a batch and a head of 1, in blocks of 32: its lists as 0, 1, 2."""
    result = torch.zeros(4, 3, dtype=torch.int64)
    for counts, indices, state in ((mask[0], mask[1], 1), (mask[2], mask[3], 2)):
        for row in range(4):
            result[row, indices[0, 0, row, : counts[0, 0, row]].long()] = state
    return result


# Lists that no program says: blocks of 32.
BY_HAND = (
    torch.tensor([[[1, 2, 0, 1]]], dtype=torch.int32),
    torch.tensor([[[[2, 0, 1], [1, 0, 2], [0, 1, 2], [0, 7, 9]]]], dtype=torch.int32),
    torch.tensor([[[1, 0, 0, 2]]], dtype=torch.int32),
    torch.tensor([[[[0, 2, 2], [0, 0, 0], [2, 1, 0], [1, 2, 5]]]], dtype=torch.int32),
)
STATES = states(BY_HAND)


def by_hand(mask_mod=None):
    def mask(b, h, q, kv):
        state = STATES[q // 32, kv // 32]
        keep = torch.tensor(True) if mask_mod is None else mask_mod(b, h, q, kv)
        return (state == 2) | ((state == 1) & keep)

    return mask


class Lists(unittest.TestCase):
    def test_as_torch_makes_them(self):
        for mask_mod, shape in ((causal, ()), (documents, ()), (of_heads, (2, 2))):
            for size in (32, (16, 48), (512, 32)):
                ours, theirs = both(mask_mod, *shape, BLOCK_SIZE=size)
                self.assertEqual(ours.shape, theirs.shape)
                for name in LISTS:
                    x, y = getattr(ours, name), getattr(theirs, name)
                    self.assertEqual((name, x.dtype, x.tolist()), (name, y.dtype, y.tolist()))
                    self.assertTrue(x.is_contiguous())  # which torch's PagedAttention relies on
                self.assertEqual(ours.sparsity(), theirs.sparsity())
                self.assertEqual((str(ours), ours.numel()), (str(theirs), theirs.numel()))
                self.assertTrue(torch.equal(ours.to_dense(), theirs.to_dense()))
                self.assertEqual(ours.as_tuple()[:2], theirs.as_tuple()[:2])

    def test_nothing_is_made_until_asked_for(self):
        with unittest.mock.patch.object(attn.torch.block_mask.BlockMask, "_make_lists", side_effect=AssertionError):
            mask = attn.create_block_mask(causal, None, None, 1 << 20, 1 << 20, device="cpu")
            self.assertEqual((mask.shape, mask.numel()), ((1, 1, 1 << 20, 1 << 20), 1 << 40))
            self.assertIs(mask.to("cpu").mask_mod, causal)
            self.assertIsInstance(mask, of_torch.BlockMask)

    def test_functions_of_masks(self):
        odd = lambda b, h, q, kv: q % 2 == 1  # noqa: E731
        none = lambda *x: causal(*x) & False  # noqa: E731
        for ours, theirs, kept in (
            (attn.and_masks(causal, odd), of_torch.and_masks(causal, odd), lambda *x: causal(*x) & odd(*x)),
            (attn.or_masks(causal, odd), of_torch.or_masks(causal, odd), lambda *x: causal(*x) | odd(*x)),
            (attn.noop_mask, of_torch.noop_mask, lambda *x: causal(*x) | True),
            (attn.and_masks(), attn.noop_mask, lambda *x: causal(*x) | True),
            (attn.or_masks(), of_torch.or_masks(), none),
        ):
            if kept is not none and theirs is not attn.noop_mask:
                mask = attn.create_block_mask(theirs, None, None, QUERIES, KEYS, device="cpu")
                out = attn.flex_attention(*ARRAYS, None, mask)
                self.assertLessEqual(reference.error(out, reference.attention(*ARRAYS, None, kept)[0]), 3e-5)
            expected = kept(*reference.positions(1, 1, 7, 5, "cpu")).long()
            for mask_mod in (ours, theirs):
                dense = of_torch.create_mask(mask_mod, 1, 1, 7, 5, device="cpu")
                self.assertEqual(dense.expand(1, 1, 7, 5).long().tolist(), expected.expand(1, 1, 7, 5).tolist())

    def test_copies(self):
        mask = attn.create_block_mask(documents, None, None, QUERIES, KEYS, device="cpu")
        expected = attn.flex_attention(*ARRAYS, None, mask)
        lists = attn.BlockMask.from_kv_blocks(mask.kv_num_blocks, mask.kv_indices, seq_lengths=(QUERIES, KEYS))
        self.assertIs(lists.mask_mod.__name__, "noop_mask")
        for made in (copy.copy(mask), copy.deepcopy(mask), mask.to("cpu")):
            self.assertTrue(made.is_program)
            self.assertTrue(torch.equal(attn.flex_attention(*ARRAYS, None, made), expected))
        self.assertEqual(lists.to("cpu").kv_indices.tolist(), mask.kv_indices.tolist())

    def test_errors(self):
        given, make = (None, None, 4, 4, "cpu"), attn.create_block_mask
        for error, text, call in (
            (attn.Error, "expects mask_mods that can be called, got 'int'", lambda: make(3, *given)),
            (ValueError, "expects mask_mods that can be called, got 'str'", lambda: attn.or_masks(causal, "x")),
            (attn.Error, "expects 'BLOCK_SIZE' of 1 or more", lambda: make(causal, *given, 0)),
            (attn.Error, "expects 'BLOCK_SIZE' as an int or a pair", lambda: make(causal, *given, (1, 2, 3))),
            (attn.Error, "expects 'Q_LEN' of 0 or more, got -1", lambda: make(causal, 1, 1, -1, 4)),
            (TypeError, "unexpected keyword argument 'x'", lambda: make(causal, *given, x=1)),
            (AttributeError, "'BlockMask' has no attribute 'nothing'", lambda: make(causal, *given).nothing),
        ):
            with self.assertRaisesRegex(error, text):
                call()


class Attention(unittest.TestCase):
    def check(self, mask, keep, arrays=ARRAYS, gradients=False):
        arrays = [x.detach().requires_grad_(gradients) for x in arrays]
        out = attn.flex_attention(*arrays, None, mask)
        leaves = [reference.leaf(x) for x in arrays]
        expected = reference.attention(*leaves, None, keep)[0]
        self.assertLessEqual(reference.error(out, expected), 3e-5)
        if not gradients:
            return
        out.square().sum().backward()
        expected.square().sum().backward()
        for x, leaf in zip(arrays, leaves):
            self.assertLessEqual(reference.error(x.grad, leaf.grad), 3e-4)

    def test_lists_decide(self):
        for kind in (attn.BlockMask, of_torch.BlockMask):
            named = {"BLOCK_SIZE": 32, "seq_lengths": (QUERIES, KEYS)}
            self.check(kind.from_kv_blocks(*BY_HAND, mask_mod=causal, **named), by_hand(causal), gradients=True)
        self.check(kind.from_kv_blocks(*BY_HAND, **named), by_hand())

    def test_masks_of_torch(self):
        for mask_mod, shape in ((documents, ()), (of_heads, (2, 2))):
            self.check(both(mask_mod, *shape, BLOCK_SIZE=32)[1], mask_mod)
        # Of no mask torch makes one huge block.
        self.check(of_torch._create_empty_block_mask(*ARRAYS[:2]), None)

    def test_lists_that_are_written_to(self):
        mask = attn.BlockMask.from_kv_blocks(*copy.deepcopy(BY_HAND), BLOCK_SIZE=32, seq_lengths=(QUERIES, KEYS))
        self.check(mask, by_hand())
        mask.full_kv_num_blocks.zero_()
        keep = by_hand()
        self.check(mask, lambda b, h, q, kv: keep(b, h, q, kv) & (STATES[q // 32, kv // 32] == 1))

    def test_masks_in_cycles(self):
        # Collections that release a mask's lists, of kernels that are used again.
        for i in range(4):
            seen = torch.arange(KEYS) % 5 != i

            def keep(b, h, q, kv):
                return seen[kv]

            mask = attn.create_block_mask(keep, None, None, QUERIES, KEYS, device="cpu")
            mask.itself = mask
            self.check(mask, keep)
            del mask
            gc.collect()

    def test_another_program(self):
        for mask in both(causal, BLOCK_SIZE=32):
            dense = mask.to_dense()[0, 0]
            mask.mask_mod = lambda b, h, q, kv: kv % 2 == 0
            # Full blocks stay full.
            full = torch.arange(QUERIES)[:, None] // 32 > torch.arange(KEYS) // 32
            full &= torch.arange(QUERIES)[:, None] < 96
            full &= torch.arange(KEYS) < 64
            seen = dense[torch.arange(QUERIES)[:, None] // 32, torch.arange(KEYS) // 32] > 0
            self.check(mask, lambda b, h, q, kv: full[q, kv] | (seen[q, kv] & (kv % 2 == 0)))

    def test_rows_of_blocks(self):
        for mask in both(causal, BLOCK_SIZE=32):
            part = mask[:, :, 1]
            part.seq_lengths = (32, KEYS)  # which not all versions of torch say
            part.mask_mod = lambda b, h, q, kv: q + 32 >= kv
            self.check(part, lambda b, h, q, kv: q + 32 >= kv, [ARRAYS[0][:, :, 32:64], *ARRAYS[1:]])


if __name__ == "__main__":
    unittest.main()
