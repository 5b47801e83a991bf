"""Functions of numpy and torch, and their arrays, in programs.

RUN: env PYTHONPATH=%source/python %python %s
A case whose library is not installed is skipped.
"""

import contextlib
import functools
import unittest

import attn
from attn import _recordings

try:
    import numpy as np
except ImportError:
    np = None
try:
    import torch
    from torch.nn.attention.flex_attention import and_masks, noop_mask, or_masks
except ImportError:
    torch = None


@contextlib.contextmanager
def counted():
    """How often a program is recorded, in a list."""
    record, count = _recordings.record, [0]

    def counting(*arguments):
        count[0] += 1
        return record(*arguments)

    _recordings.record = counting
    try:
        yield count
    finally:
        _recordings.record = record


def operations(recorded):
    lines = [line.split(" loc(")[0].split(" = ")[-1].strip() for line in recorded.text.splitlines()]
    return [line.split()[0] for line in lines if line.startswith(("arith", "math", "attn.load"))]


@unittest.skipUnless(np, "numpy is not installed")
class Numpy(unittest.TestCase):
    def test_functions(self):
        def score(s, b, h, q, kv):
            return np.where(q > kv, np.exp(s), np.maximum(s, np.float32(2.5)))

        names = ["cmpi", "exp", "constant", "maximumf", "select"]
        self.assertEqual([n.split(".")[1] for n in operations(attn.mod_source(score))], names)

    def test_rows(self):
        rows, weights = np.zeros((9, 4), np.int32), np.ones(4, np.float32)

        def score(s, b, h, q, kv):
            seen = np.any(rows[q] == kv) & (rows[q, :2].sum(axis=-1) > np.max(rows[kv]))
            return np.where(seen, s + np.dot(rows[q], weights) * np.clip(s, -1.0, 1.0), rows[q] @ weights)

        names = operations(attn.mod_source(score))
        self.assertEqual((names.count("attn.load"), names.count("arith.maxsi")), (4 + 2 + 4 + 8 + 8, 3))

    def test_arrays_and_numbers(self):
        slopes, width, offset = np.ones(3, np.float16), np.int64(3), np.array(2)

        def score(s, b, h, q, kv):
            return slopes[h] * s + s * slopes[h] + width * q + np.int64(1) - kv + offset

        recorded = attn.mod_source(score)
        captures = [(c.name, c.type) for c in recorded.captures]
        self.assertEqual(captures, [("slopes", "tensor<?xf16>"), ("offset", "i64")])
        self.assertIs(recorded.captures[0].value, slopes)

    def test_errors(self):
        class Holder:
            slopes = np.ones(3, np.float32) if np else None

        for score, text in (
            (lambda s, b, h, q, kv: Holder.slopes[h] * s, "attn.table"),
            (lambda s, b, h, q, kv: np.nextafter(s, s), "got 'nextafter'"),
            (lambda s, b, h, q, kv: s + Holder.slopes, "got an array of shape"),
        ):
            with self.assertRaisesRegex(TypeError, rf"recorder-numpy.py:\d+:\d+: error: .*{text}"):
                attn.mod_source(score)


@unittest.skipUnless(torch, "torch is not installed")
class Torch(unittest.TestCase):
    def test_functions(self):
        def score(s, b, h, q, kv):
            x = torch.where(q > kv, torch.exp(s), torch.tanh(s))
            return torch.where(torch.logical_not(q == kv), x, -float("inf")).to(torch.float32)

        text = attn.mod_source(score).text
        for operation in ("math.exp ", "math.tanh ", "arith.constant 0xFF800000"):
            self.assertIn(operation, text)

    def test_masks_that_start_with_new_ones(self):
        def both(*masks):
            def mask(b, h, q, kv):
                return functools.reduce(lambda x, m: x & m(b, h, q, kv), masks, b.new_ones((), dtype=torch.bool))

            return mask

        doc = torch.zeros(9, dtype=torch.int64)
        mask = both(lambda b, h, q, kv: q >= kv, lambda b, h, q, kv: doc[q] == doc[kv])
        recorded = attn.mod_source(mask_mod=mask)
        self.assertIs(recorded.captures[0].value, doc)
        self.assertEqual(operations(recorded)[:3], ["arith.constant", "arith.cmpi", "arith.andi"])

    def test_tensors(self):
        bias, offset = torch.zeros(2, 3, 4, dtype=torch.bfloat16)[:, :, ::2], torch.tensor(3)

        def score(s, b, h, q, kv):
            return s + bias[b][h, 1] + offset + bias[b, h][torch.clamp(q, max=1)]

        recorded = attn.mod_source(score)
        self.assertEqual([c.type for c in recorded.captures], ["tensor<?x?x?xbf16>", "i64"])

    def test_modules(self):
        class Bias(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.slopes, self.heads = torch.nn.Parameter(torch.ones(4)), 4
                self.parts = torch.nn.ParameterList([torch.ones(4), torch.ones(4)])
                self.buckets = torch.nn.Embedding(8, 4)
                self.register_buffer("marks", torch.ones(9, dtype=torch.bool))

            def score(self, s, b, h, q, kv):
                s = s * sum(part[h] for part in self.parts)
                return torch.where(self.marks[kv], s + self.slopes[h] * (8.0 / self.heads), s)

            def forward(self, s, b, h, q, kv):
                return self.score(s, b, h, q, kv) + self.buckets(torch.clamp(q - kv, 0, 7))[h]

        bias = Bias()
        recorded = attn.mod_source(bias.score, lift=True)
        names = ["marks", "parts_0", "parts_1", "slopes", "of_heads"]
        self.assertEqual(sorted(c.name for c in recorded.captures), sorted(names))
        slopes = [c.name for c in recorded.captures].index("slopes")
        self.assertIs(recorded.captures[slopes].value, bias.slopes)
        recorded = attn.mod_source(bias)
        self.assertEqual([c.name for c in recorded.captures], ["marks", *names[1:4], "weight"])
        self.assertIs(recorded.captures[4].value, bias.buckets.weight)
        sizes = torch.zeros(3, 5).shape
        recorded = attn.mod_source(mask_mod=lambda b, h, q, kv: q < sizes[1], lift=True)
        self.assertEqual([(c.name, c.value) for c in recorded.captures], [("sizes_1", 5)])
        with counted() as count:
            for one in (bias, Bias(), bias):
                self.assertIs(_recordings.recorded(one)[1][3], one.slopes)
        self.assertEqual(count, [1])

    def test_autograd_functions(self):
        """Their forward functions are recorded."""

        class Cap(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x, scale):
                ctx.save_for_backward(x, scale)
                ctx.other = 3
                return torch.tanh(x) * scale[0]

        class Late(Cap):
            @staticmethod
            def forward(x, scale):
                return torch.sin(x) * scale[0]

            @staticmethod
            def setup_context(ctx, inputs, output):
                ctx.save_for_backward(output)

        scale, late = torch.ones(1).requires_grad_(), Late.apply

        def score(s, b, h, q, kv):
            return late(Cap.apply(s, scale), scale)

        recorded = attn.mod_source(score)
        self.assertIs(recorded.captures[0].value, scale)
        self.assertEqual([o for o in operations(recorded) if o.startswith("math")], ["math.tanh", "math.sin"])

    def test_operations_by_name(self):
        @torch.library.custom_op("attn_test::cube", mutates_args=())
        def cube(x: torch.Tensor) -> torch.Tensor:
            return x**3

        def score(s, b, h, q, kv):
            return torch.ops.attn_test.cube(s) + cube(s) + torch.ops.aten.mul.Tensor(s, 2.0)

        with self.assertRaisesRegex(attn.RecordError, "got 'attn_test::cube': attn.register_function"):
            attn.mod_source(score)
        attn.register_function("attn_test::cube", lambda x: x**3)
        self.assertEqual([o for o in operations(attn.mod_source(score)) if o == "arith.mulf"], ["arith.mulf"] * 5)
        with self.assertRaisesRegex(ValueError, "'namespace::operation', got 'cube'"):
            attn.register_function("cube", cube)

    def test_what_a_program_makes_of_tensors(self):
        """Of constants once; of what is in a captured tensor for each call."""
        values = torch.tensor([1, 5])

        class Holder:
            limits, limit = values, torch.tensor(3)

        def constants(b, h, q, kv):
            return (q > torch.tensor(3)) & (torch.arange(4) == kv).any() & (q < torch.tensor([2, 9]).max())

        def contents(b, h, q, kv):
            return q > Holder.limits.max()

        def scalar(b, h, q, kv):
            return (q > Holder.limit) & (torch.add(kv, Holder.limit) > 3)

        with counted() as count:
            for number in (4, 5):
                Holder.limit.fill_(number)
                self.assertIn(f"arith.constant {number} ", _recordings.recorded(None, scalar)[0].text)
        self.assertEqual(count, [2])
        with counted() as count:
            first = [_recordings.recorded(None, constants)[0] for _ in range(2)]
            texts = [_recordings.recorded(None, contents)[0].text]
            values[1] = 7
            texts.append(_recordings.recorded(None, contents)[0].text)
        self.assertEqual((count, first[0] is first[1], texts[0] == texts[1]), ([3], True, False))

    def test_decorators_and_composition(self):
        def twice(function):
            @functools.wraps(function)
            def wrapper(*at):
                return function(*at) & function(*at)

            return wrapper

        far = 5

        @twice
        @torch.compile
        def mask(b, h, q, kv):
            return torch.abs(q - kv) < far

        either = or_masks(and_masks(mask, noop_mask), lambda b, h, q, kv: torch.zeros_like(q, dtype=torch.bool))
        self.assertEqual([c.name for c in attn.mod_source(mask_mod=either, lift=True).captures], ["far"])

    def test_rows_and_slices(self):
        pairs, doc = torch.zeros(9, 4, dtype=torch.int32), torch.zeros(9, dtype=torch.int64)

        def mask(b, h, q, kv):
            first, last = pairs[doc[q], 1:3]
            column = pairs[:, 3]
            row = torch.stack([first, last, column[kv]])
            return (row > kv).any() & (pairs[q][...].sum() > row.amax()) & torch.all(row != q)

        text = attn.mod_source(mask_mod=mask).text
        self.assertEqual(text.count("attn.load %pairs"), 2 + 1 + 4)
        self.assertIn("arith.maxsi", text)

    def test_tensors_of_values(self):
        limits, far = (3, 5), 7

        def mask(b, h, q, kv):
            first = torch.tensor([q, kv + 1], dtype=torch.float32).sum() > torch.tensor(far)
            return first & (torch.tensor(limits)[b] > q) & (torch.full((), far) != kv)

        recorded = attn.mod_source(mask_mod=mask, lift=True)
        self.assertEqual([(c.type, list(c.value)) for c in recorded.arrays], [("tensor<?xi64>", [3, 5])])
        self.assertEqual(operations(recorded).count("arith.sitofp"), 2)

    def test_narrow_types(self):
        recorded = attn.mod_source(lambda s, b, h, q, kv: s.to(torch.bfloat16) + s.half() + q.to(torch.uint8))
        names = ["truncf", "extf", "truncf", "extf", "addf", "trunci", "extui", "sitofp", "addf"]
        self.assertEqual([o.split(".")[1] for o in operations(recorded)], names)

    def test_errors(self):
        rows = torch.zeros(4, 64)
        for score, text in (
            (lambda s, b, h, q, kv: s + torch.dot(rows[q], rows[kv]), "at most 16 elements, which are unrolled, got"),
            (lambda s, b, h, q, kv: s + torch.arange(q)[0], "got 'arange'"),
            (lambda s, b, h, q, kv: s.add_(1), r"writes nothing, got 'add_': write x = add\(x\)"),
            (lambda s, b, h, q, kv: s.detach(), "'detach' cannot be recorded: a gradient is that of the whole"),
            (lambda s, b, h, q, kv: torch.dropout(s, 0.1, True), "has no random numbers"),
            (lambda s, b, h, q, kv: torch.round(s, decimals=2), "to a whole number, got 2 decimals"),
            (lambda s, b, h, q, kv: torch.lgamma(s), "got 'lgamma': docs/PythonMods.md lists them"),
            (lambda s, b, h, q, kv: s.clamp(lowest=1), "arguments of 'clamp' that a mod has: got .* 'lowest'"),
            (lambda s, b, h, q, kv: s.item(), "compute with the value itself"),
            (lambda s, b, h, q, kv: torch.max(rows[q, :4], dim=0), "amin and amax take one"),
            (lambda s, b, h, q, kv: torch.where((rows[q] == 1).any(-1), s, 0), "got 64 elements of 'rows'"),
        ):
            with self.assertRaisesRegex(TypeError, rf"recorder-numpy.py:\d+:\d+: error: .*{text}"):
                attn.mod_source(score)


if __name__ == "__main__":
    unittest.main()
