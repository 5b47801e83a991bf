"""Attention of torch's tensors on the CPU, without copies, against torch's own.

RUN: env PYTHONPATH=%source/python ATTN_LIBRARY=%libattn %python %s
REQUIRES: torch
UNSUPPORTED: sanitized
"""

import unittest

import attn
import attn._functions
import torch

torch.manual_seed(19)


def operands(dtype=torch.float32):
    # Positions before heads, as a model's projections have it.
    shapes = ((2, 33, 4, 16), (2, 41, 2, 16), (2, 41, 2, 24))
    return [torch.randn(*shape).to(dtype).transpose(1, 2) for shape in shapes]


def definition(query, key, value, bias, causal=True):
    """(out, lse) in f64, by operations whose gradients torch knows."""
    query, key, value = (x.double() for x in (query, key, value))
    key, value = (x.repeat_interleave(query.shape[1] // x.shape[1], 1) for x in (key, value))
    scores = query @ key.transpose(2, 3) * query.shape[3] ** -0.5
    distance = torch.arange(key.shape[2]) - torch.arange(query.shape[2])[:, None]
    scores = scores + bias.double()[:, None, None] * distance
    if causal:
        scores = scores.masked_fill(distance > 0, -float("inf"))
    return scores.softmax(-1) @ value, scores.logsumexp(-1)


def causal(b, h, q, kv):
    return q >= kv


class Tensors(unittest.TestCase):
    def check(self, got, expected, atol):
        self.assertLessEqual((got.double() - expected).abs().max().item(), atol)

    def test_forward(self):
        for dtype, atol in ((torch.float32, 3e-6), (torch.float16, 4e-3), (torch.bfloat16, 3e-2)):
            arrays, slopes = operands(dtype), torch.randn(4, dtype=torch.float64).to(dtype) / 8
            out, lse = attn.attention(*arrays, lambda s, b, h, q, kv: s + slopes[h] * (kv - q), causal, return_lse=True)
            expected = definition(*arrays, slopes)
            self.assertEqual((out.dtype, lse.dtype, out.shape), (dtype, torch.float32, (2, 4, 33, 24)))
            self.check(out, expected[0], atol)
            self.check(lse, expected[1], 3e-6)

    def test_memory_that_is_given(self):
        arrays, out = operands(), torch.empty(2, 33, 4, 24).transpose(1, 2)
        lengths, far = torch.tensor([41, 41], dtype=torch.int32), torch.tensor(2.0)
        got = attn.attention(*arrays, lambda s, b, h, q, kv: s * (far / 2), causal, lengths=lengths, out=out)
        self.assertIs(got, out)
        self.check(out, definition(*arrays, torch.zeros(4))[0], 3e-6)

    def test_gradients(self):
        arrays, slopes = operands(), torch.randn(4) / 8
        leaves = [x.detach().double().requires_grad_() for x in (*arrays, slopes)]
        expected = definition(*leaves)
        grads = [torch.randn(x.shape) for x in expected]
        torch.autograd.backward(expected, [x.double() for x in grads])

        def score(s, b, h, q, kv):
            return s + slopes[h] * (kv - q)

        _, backward = attn.attention_vjp(*arrays, score, causal, wrt=["slopes"], return_lse=True)
        got = backward(*grads)
        for a, leaf in zip((*got[:3], got.captures["slopes"]), leaves):
            self.check(a, leaf.grad, 1e-3 if leaf is leaves[-1] else 2e-5)

    def test_no_gradient_is_lost_silently(self):
        arrays, slopes = operands(), torch.randn(4).requires_grad_()
        scale = torch.tensor(1.0).requires_grad_()

        def score(s, b, h, q, kv):
            return s + slopes[h] * scale

        with self.assertRaisesRegex(attn.Error, "expects 'query' without requires_grad, or torch.no_grad"):
            attn.attention(arrays[0].requires_grad_(), *arrays[1:])
        arrays[0].requires_grad_(False)
        for of in (score, lambda s, b, h, q, kv: s * scale):
            with self.assertRaisesRegex(attn.Error, "expects 's[a-z]+' without requires_grad"):
                attn.attention(*arrays, of)
        with torch.no_grad():
            self.assertFalse(attn.attention(*arrays, score).requires_grad)

    def test_functions_of_programs(self):
        """Of tensors they give what they give of numbers, at each element."""
        xs, ys = [-2.6, -0.5, 0.5, 0.75, 1.5], [0.25, -1.5, 0.5, 2.5, -0.75]
        of_two = ("atan2", "copysign", "minimum", "maximum", "logical_and", "logical_or", "logical_xor")
        for name in attn._functions.PUBLIC:
            function = getattr(attn, name)
            if name == "where":
                function = lambda x, y: attn.where(x > y, x, y)  # noqa: E731
            given = [xs, ys] if name in (*of_two, "where") else [xs]
            got = function(*map(torch.tensor, given))
            expected = torch.tensor([float(function(*x)) for x in zip(*given)])
            torch.testing.assert_close(got.float(), expected, equal_nan=True, msg=lambda text: f"{name}: {text}")
        torch.testing.assert_close(attn.maximum(torch.tensor([-1.0, 2.0]), 0.5), torch.tensor([0.5, 2.0]))


if __name__ == "__main__":
    unittest.main()
