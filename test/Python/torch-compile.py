"""flex_attention in regions of torch.compile: the operators of its graphs. Functions: torch-graphs.py.

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
        query, key, value = (x.detach() for x in operands())
        slopes, kinds = SLOPES.detach(), ["tensor", "integer"]
        problem = ([slopes], [5], [], kinds, MOD.line, ["offset"], None)
        forward, backward = torch.ops.attn.forward.default, torch.ops.attn.backward.default
        checks = ("test_schema", "test_faketensor")
        for lse in (True, False):
            given = (query, key, value, *problem, None, None, None, False, lse)
            torch.library.opcheck(forward, given, test_utils=checks)
        out, lse = forward(query, key, value, *problem, None, None, None, False, True)
        given = (query, key, value, out, lse, torch.ones_like(out), None, *problem, [0])
        torch.library.opcheck(backward, given, test_utils=checks)
        for x in (query, key, value, slopes):
            x.requires_grad_()
        given = (query, key, value, *problem, None, None, None, False, True)
        torch.library.opcheck(forward, given, test_utils="test_autograd_registration")
        with self.assertRaisesRegex(attn.Error, "expects 'lse' where gradients are asked for"):
            forward(*given[:-1], False)

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


class Documentation(unittest.TestCase):
    def test_docs(self):
        source = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "PyTorch.md")
        with open(source) as file:
            blocks = re.findall(r"^```python\n(.*?)^```", file.read(), re.M | re.S)
        names = {"attn": attn}
        for block in blocks:
            exec(compile(block, "block", "exec"), names)
        self.assertGreater(names["slopes"].grad.abs().min(), 0)


if __name__ == "__main__":
    unittest.main()
