"""What flex_attention tells the library of a GPU: memory, streams, lists of tiles, graphs; on the tests' driver.

RUN: env PYTHONPATH=%source/python ATTN_LIBRARY=%libattn %python %s %fake_gpu
REQUIRES: torch
UNSUPPORTED: sanitized
"""

import os
import sys
import unittest
import unittest.mock

import attn
import torch

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "Inputs"))
import torch_reference as reference  # noqa: E402
from fake_gpu import FakeGPU  # noqa: E402

GPU = FakeGPU(sys.argv.pop())
QUERIES = 70
torch.manual_seed(19)
ARRAYS = [GPU.copy(torch.randn(1, 2, QUERIES, 64).bfloat16()) for _ in range(3)]
DOCUMENT, SLOPES = GPU.copy(torch.arange(QUERIES) // 20), GPU.copy(torch.rand(2))


def documents(b, h, q, kv):
    return (DOCUMENT[q] == DOCUMENT[kv]) & (q >= kv)


def alibi(score, b, h, q, kv):
    return score + SLOPES[h] * (kv - q)


def new_mask():
    return attn.create_block_mask(documents, None, None, QUERIES, QUERIES, device="cpu")


class OnGPU(unittest.TestCase):
    def check(self, got, score=alibi, mask=documents):
        expected = reference.attention(*ARRAYS, score, mask)
        for x, y, bound in zip(got, expected, (3e-2, 1e-4)):
            self.assertLessEqual(reference.error(x, y), bound)

    def run_once(self, mask):
        return attn.flex_attention(*ARRAYS, alibi, mask, return_lse=True)

    def test_lists_of_tiles(self):
        mask = new_mask()
        finder = attn.torch._forward.Finder
        with unittest.mock.patch.object(finder, "_call", autospec=True, side_effect=finder._call) as find:
            self.check(self.run_once(mask))
            self.check(self.run_once(mask))
            self.assertEqual(find.call_count, 1)
            DOCUMENT.copy_(torch.arange(QUERIES) // 33)
            self.check(self.run_once(mask))
            self.assertEqual(find.call_count, 2)
            # The next mask's take the memory of lists that are gone.
            del mask
            self.check(self.run_once(new_mask()))
            self.assertIsNotNone(find.call_args.args[4])
            # Lists of another stream may be in use there.
            mask, first = new_mask(), GPU.current
            self.check(self.run_once(mask))
            GPU.current = GPU.of_thread
            self.check(self.run_once(mask))
            self.assertEqual(find.call_count, 5)
            GPU.current = first

    def test_graph(self):
        mask = new_mask()
        self.run_once(mask)
        with GPU.graph() as replay:
            results = self.run_once(mask)
        for divisor in (20, 9, 50):
            DOCUMENT.copy_(torch.arange(QUERIES) // divisor)
            SLOPES.copy_(torch.rand(2))
            replay()
            self.check(results)
            self.check(self.run_once(mask))

    def test_what_is_not_prepared(self):
        mask = new_mask()
        self.run_once(mask)
        with GPU.graph():
            with self.assertRaisesRegex(attn.Error, "expects a call with such tensors"):
                attn.flex_attention(*(x[:, :, :50] for x in ARRAYS))
            self.run_once(mask)

    def test_gradients(self):
        grad = GPU.copy(torch.randn(1, 2, QUERIES, 64).bfloat16())
        arrays = [x.requires_grad_() for x in (*ARRAYS, SLOPES)]
        mask = new_mask()

        def gradients():
            return torch.autograd.grad(attn.flex_attention(*ARRAYS, alibi, mask), arrays, grad)

        leaves = [reference.leaf(x) for x in arrays]
        score = lambda s, b, h, q, kv: s + leaves[3][h] * (kv - q)  # noqa: E731
        out, _ = reference.attention(*leaves[:3], score, documents)
        expected = torch.autograd.grad(out, leaves, grad.double())
        try:
            got = gradients()
            with GPU.graph() as replay:
                in_graph = gradients()
            replay()
        finally:
            for x in arrays:
                x.requires_grad_(False)
        for grads in (got, in_graph):
            for x, y in zip(grads, expected):
                self.assertLessEqual(reference.error(x, y) / max(1, y.abs().max().item()), 3e-2)


if __name__ == "__main__":
    unittest.main()
