"""flex_attention in regions of torch.compile: operators of its graphs, of mods and of functions.

torch-graphs.py has more, for --long.

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
from torch._dynamo.testing import CompileCounterWithBackend
from torch.nn.attention import flex_attention as of_torch

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


class Functions(unittest.TestCase):
    """Whole graphs whose operator is recorded from what dynamo traces."""

    def setUp(self):
        torch._dynamo.reset()

    def compiled(self, function, backend="eager"):
        self.counter = CompileCounterWithBackend(backend)
        return torch.compile(function, fullgraph=True, dynamic=True, backend=self.counter)

    def test_one_graph(self):
        """For all lengths, windows, documents and learned tables."""

        def layer(query, key, value, slopes, window, document):
            def mask_mod(b, h, q, kv):
                return (document[b, q] == document[b, kv]) & (q - kv < window)

            mask = attn.create_block_mask(mask_mod, 2, None, query.shape[2], key.shape[2], device=query.device)
            score_mod = lambda s, b, h, q, kv: s + slopes[h] * (kv - q)  # noqa: E731
            return attn.flex_attention(query * 2, key, value, score_mod, mask)

        compiled = self.compiled(layer, "aot_eager")
        for queries, window in ((33, 7), (40, 9)):
            given = [*operands(queries), torch.rand(4).requires_grad_()]
            document = torch.randint(0, 2, (2, 41))
            got, expected = (f(*given, window, document) for f in (compiled, layer))
            self.assertTrue(torch.equal(got, expected))
            self.assertEqual(got.stride(), expected.stride())
            for x, y in zip(*(torch.autograd.grad(out.sum(), given) for out in (got, expected))):
                torch.testing.assert_close(x, y)
        self.assertEqual(self.counter.frame_count, 1)

    def test_changes_are_seen(self):
        """Of a closure's cell, of a global table, and of a mask's lists."""
        by, mask = 2.0, of_torch.create_block_mask(causal, None, None, 33, 41, device="cpu", BLOCK_SIZE=16)

        def layer(query, key, value):
            return attn.flex_attention(query, key, value, lambda s, b, h, q, kv: s * by + SLOPES[h] * kv, mask)

        compiled, given, seen = self.compiled(layer), [x.detach() for x in operands()], []
        with torch.no_grad():
            for change in (lambda: None, lambda: SLOPES.mul_(3), lambda: mask.kv_num_blocks.zero_()):
                change()
                by += 1
                seen.append(compiled(*given))
                self.assertTrue(torch.equal(seen[-1], layer(*given)))
        self.assertFalse(torch.equal(seen[0], seen[1]) or torch.equal(seen[1], seen[2]))

    def test_install(self):
        """A model that calls torch's functions, and what cannot be traced, named by its line."""
        attn.torch.install()
        self.addCleanup(attn.torch.uninstall)
        compiled = self.compiled(lambda *x: of_torch.flex_attention(*x, alibi))
        given = [x.detach() for x in operands()]
        torch.testing.assert_close(compiled(*given), attn.flex_attention(*given, alibi))

        def unknown(score, b, h, q, kv):
            return score + torch.cumsum(SLOPES, 0)[h]

        line = unknown.__code__.co_firstlineno + 1
        with self.assertRaisesRegex(Exception, rf"torch-compile.py:{line}:1: error: 'cumsum' cannot be recorded"):
            self.compiled(lambda *x: of_torch.flex_attention(*x, unknown))(*given)


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
