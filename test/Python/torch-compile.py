"""flex_attention in regions of torch.compile: operators of the graph for mods, a break for functions.

RUN: env PYTHONPATH=%source/python ATTN_LIBRARY=%libattn %python %s
REQUIRES: torch
UNSUPPORTED: sanitized
"""

import os
import re
import sys
import unittest

import attn
import torch

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "Inputs"))
import torch_reference as reference  # noqa: E402

torch.manual_seed(19)
SLOPES = torch.rand(4).requires_grad_()


def operands(queries=33):
    arrays = [torch.randn(2, n, 4, 16).transpose(1, 2) for n in (queries, 41, 41)]
    return [x.detach().requires_grad_() for x in arrays]


def causal(b, h, q, kv):
    return q >= kv


def alibi(score, b, h, q, kv):
    return score + SLOPES[h] * (kv - q)


MOD = attn.Mod.from_functions(alibi, causal)


def model(query, key, value):
    out, lse = attn.flex_attention(query * 2, key, value, MOD, return_lse=True)
    return out * 3, lse


def definition(query, key, value, slopes=SLOPES):
    score = lambda s, b, h, q, kv: s + slopes[h] * (kv - q)  # noqa: E731
    out, lse = reference.attention(query * 2, key, value, score, causal)
    return out * 3, lse


class Compiled(unittest.TestCase):
    def setUp(self):
        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()

    def close(self, got, expected, bound=1e-4):
        for x, y in zip(got, expected):
            self.assertLessEqual(reference.error(x, y) / max(1, y.abs().max().item()), bound)

    def test_operators(self):
        arrays = operands()
        query, key, value = (x.detach().requires_grad_() for x in arrays)
        slopes, more = SLOPES.detach().requires_grad_(), [MOD.line, []]
        for lse in (True, False):
            given = (query, key, value, [slopes], [], [False], *more, None, False, lse)
            torch.library.opcheck(torch.ops.attn.forward.default, given, test_utils=("test_schema", "test_faketensor"))

    def test_whole_graphs_of_any_length(self):
        compiled = torch.compile(model, fullgraph=True, dynamic=True, backend="aot_eager")
        for queries in (33, 40):
            arrays = operands(queries)
            got = compiled(*arrays)
            self.close(got, definition(*arrays))
            self.assertEqual(got[0].stride(), model(*arrays)[0].stride())
            leaves = [reference.leaf(x) for x in (*arrays, SLOPES)]
            expected = torch.autograd.grad(definition(*leaves)[0].sum(), leaves)
            self.close(torch.autograd.grad(got[0].sum(), [*arrays, SLOPES]), expected)
        self.assertEqual(torch._dynamo.utils.counters["graph_break"], {})

    def test_programs_are_one_line(self):
        line = attn.Mod.from_source('attn.mod @x // "%0", \'\\\n', "file").line
        self.assertEqual(line, "attn.mod @x // %22%250%22, %27%5C%0A")
        self.assertFalse(set("\n\"'\\") & set(MOD.line))

    def test_autocast(self):
        compiled, arrays = torch.compile(model, fullgraph=True, backend="eager"), operands()
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            got, expected = compiled(*arrays), model(*arrays)
        self.assertEqual(got[0].dtype, torch.bfloat16)
        self.assertTrue(torch.equal(got[0], expected[0]))

    def test_positions(self):
        offsets = torch.tensor([3, 5], dtype=torch.int32)

        def with_offset(query, key, value):
            return attn.flex_attention(query, key, value, MOD, query_offset=offsets)

        arrays = operands()
        with torch.no_grad():
            got = torch.compile(with_offset, fullgraph=True, backend="eager")(*arrays)
            self.assertTrue(torch.equal(got, with_offset(*arrays)))

    def test_functions_break_the_graph(self):
        mask = attn.create_block_mask(causal, None, None, 33, 41, device="cpu")

        def layer(query, key, value):
            return attn.flex_attention(query * 2, key, value, alibi, mask) * 3

        arrays = operands()
        got = torch.compile(layer, backend="eager")(*arrays)
        self.close([got], definition(*arrays)[:1])
        leaves = [reference.leaf(x) for x in arrays]
        expected = torch.autograd.grad(definition(*leaves)[0].sum(), leaves)
        self.close(torch.autograd.grad(got.sum(), arrays), expected)


class Documentation(unittest.TestCase):
    def test_docs(self):
        for document in ("docs/PyTorch.md", "README.md"):
            with open(os.path.join(os.path.dirname(__file__), "..", "..", document)) as file:
                blocks = re.findall(r"^```python\n(.*?)^```", file.read(), re.M | re.S)
            names = {"attn": attn}
            for block in blocks:
                if "transformers" not in block:  # of which torch-transformers.py has a test
                    exec(compile(block, "block", "exec"), names)
            self.assertGreater(names["slopes"].grad.abs().min(), 0)


if __name__ == "__main__":
    unittest.main()
