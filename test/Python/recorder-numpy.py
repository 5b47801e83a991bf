"""Functions of numpy and torch, and their arrays, in programs.

RUN: env PYTHONPATH=%source/python %python %s
A case whose library is not installed is skipped.
"""

import functools
import unittest

import attn

try:
    import numpy as np
except ImportError:
    np = None
try:
    import torch
except ImportError:
    torch = None


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

    def test_errors(self):
        rows = torch.zeros(4, 64)
        for score, text in (
            (lambda s, b, h, q, kv: s + torch.dot(rows[q], rows[kv]), "at most 16 elements, which are unrolled, got 64"),
            (lambda s, b, h, q, kv: torch.where((rows[q] == 1).any(-1), s, 0), "got 64 elements of 'rows'"),
        ):
            with self.assertRaisesRegex(TypeError, rf"recorder-numpy.py:\d+:\d+: error: .*{text}"):
                attn.mod_source(score)


if __name__ == "__main__":
    unittest.main()
