"""Gradients of flex_attention on the CPU, beside those of the definition in f64.

RUN: env PYTHONPATH=%source/python ATTN_LIBRARY=%libattn %python %s
REQUIRES: torch
UNSUPPORTED: sanitized
"""

import gc
import os
import sys
import threading
import unittest
import unittest.mock
import warnings
import weakref

import attn
import torch
import torch.utils.checkpoint

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "Inputs"))
import torch_reference as reference  # noqa: E402

torch.manual_seed(19)
QUERIES, KEYS = 33, 41


def operands(heads=4, kv_heads=4):
    shapes = ((heads, QUERIES, 16), (kv_heads, KEYS, 16), (kv_heads, KEYS, 16))
    return [torch.randn(2, h, n, d).requires_grad_() for h, n, d in shapes]


def resident():
    """Bytes of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def causal(b, h, q, kv):
    return q >= kv


MASK = attn.create_block_mask(causal, None, None, QUERIES, KEYS, device="cpu")


def alibi_of(slopes, factor=1.0):
    return lambda score, b, h, q, kv: score * factor + slopes[h] * (kv - q)


class Case(unittest.TestCase):
    def close(self, got, expected, bound=5e-5):
        for x, y in zip(got, expected):
            self.assertLessEqual(reference.error(x, y) / max(1, y.abs().max().item()), bound)

    def check(self, arrays, learned, program, lse=True, **more):
        """`program(learned)` is the score program."""
        out, of_rows = attn.flex_attention(*arrays, program(learned), MASK, return_lse=True, **more)
        leaves = [reference.leaf(x) for x in (*arrays, *learned)]
        expected = reference.attention(*leaves[:3], program(leaves[3:]), causal)
        grads = [torch.randn_like(out), torch.randn_like(of_rows) * lse]
        got = torch.autograd.grad([out, of_rows], [*arrays, *learned], grads)
        self.close(got, torch.autograd.grad(expected, leaves, [x.double() for x in grads]))
        for x, y in zip(got, (*arrays, *learned)):
            self.assertEqual((x.dtype, x.shape), (y.dtype, y.shape))


class Gradients(Case):
    def test_operands_and_captured_floats(self):
        learned = [torch.rand(4).requires_grad_(), torch.tensor(1.3).requires_grad_()]
        self.check(operands(), learned, lambda x: alibi_of(*x))
        self.check(operands(kv_heads=2), learned, lambda x: alibi_of(*x), enable_gqa=True)

    def test_views_types_and_uses(self):
        table = torch.randn(8, 2, dtype=torch.float64).to(torch.bfloat16).requires_grad_()
        arrays = operands()
        program = lambda x: alibi_of(x[0])  # noqa: E731
        out = attn.flex_attention(*arrays, program([table[::2, 1]]), MASK)
        (got,) = torch.autograd.grad(out.sum(), table)
        leaf = reference.leaf(table)
        expected = reference.attention(*arrays, program([leaf[::2, 1]]), causal)[0]
        self.close([got], torch.autograd.grad(expected.sum(), leaf), 1e-2)

    def test_sums_of_many_pairs(self):
        """Of a table in half precision, each of whose elements is read by hundreds of pairs: rounded once."""
        arrays = [x.detach().half() for x in operands()]
        table = torch.randn(5, dtype=torch.float16).requires_grad_()

        def of_distance(x):
            return lambda score, b, h, q, kv: score + x[(q - kv + 2).clamp(0, 4)]

        upstream = torch.randn(2, 4, QUERIES, 16).half()
        (got,) = torch.autograd.grad(attn.flex_attention(*arrays, of_distance(table)), table, upstream)
        leaf = reference.leaf(table)
        out, _ = reference.attention(*arrays, of_distance(leaf))
        (expected,) = torch.autograd.grad(out, leaf, upstream.double())
        # And what rounding out to half precision adds.
        self.assertLessEqual((got - expected).abs().max().item(), 2**-10 * expected.abs().max().item())

    def test_one_tensor_in_many_places(self):
        x = torch.randn(2, 4, KEYS, 16).requires_grad_()
        mask = attn.create_block_mask(causal, None, None, KEYS, KEYS, device="cpu")
        program = lambda x: lambda s, b, h, q, kv: s + x[0, h, q, 0]  # noqa: E731
        out = attn.flex_attention(x, x, x, program(x), mask)
        leaf = reference.leaf(x)
        expected = reference.attention(leaf, leaf, leaf, program(leaf), causal)[0]
        weights = torch.randn_like(out)
        got = torch.autograd.grad((out * weights).sum(), x)
        self.close(got, torch.autograd.grad((expected * weights).sum(), leaf))

    def test_one_result_alone(self):
        arrays = operands()
        leaves = [reference.leaf(x) for x in arrays]
        expected = reference.attention(*leaves, None, causal)
        results = attn.flex_attention(*arrays, None, MASK, return_lse=True)
        for i in range(2):
            got = torch.autograd.grad(results[i].sum(), arrays, retain_graph=True)
            # The LSE does not depend on value.
            wanted = torch.autograd.grad(expected[i].sum(), leaves, retain_graph=True, materialize_grads=True)
            self.close(got, wanted)

    def test_broadcast(self):
        query, key, value = operands()
        shared = key.detach()[:1].requires_grad_()
        leaves = [reference.leaf(x) for x in (query, shared, value)]
        out = attn.flex_attention(query, shared, value.detach()[:1], None, MASK)
        expected = reference.attention(leaves[0], leaves[1], leaves[2][:1], None, causal)[0]
        self.close(torch.autograd.grad(out.sum(), shared), torch.autograd.grad(expected.sum(), leaves[1]))

    def test_integers_have_none(self):
        buckets, arrays = torch.arange(KEYS) % 4, operands()
        bias = torch.randn(4).requires_grad_()
        program = lambda x: lambda s, b, h, q, kv: s + x[0][buckets[kv]]  # noqa: E731
        self.check(arrays, [bias], program)

    def test_differences(self):
        """By f32 alone: a small problem, long steps."""
        arrays = [torch.randn(1, 1, n, 2).requires_grad_() for n in (3, 4, 4)]
        factor = torch.tensor(0.7).requires_grad_()

        def loss(*x):
            return attn.flex_attention(*x[:3], lambda s, b, h, q, kv: attn.tanh(s * x[3]))

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of f32
            self.assertTrue(torch.autograd.gradcheck(loss, (*arrays, factor), eps=1e-2, atol=1e-2, rtol=1e-2))


class Autograd(Case):
    def test_checkpoints(self):
        arrays, slopes = operands(), torch.rand(4).requires_grad_()

        def layer(*x):
            return attn.flex_attention(*x, alibi_of(slopes), MASK) * 2

        expected = torch.autograd.grad(layer(*arrays).sum(), [*arrays, slopes])
        for reentrant in (False, True):
            out = torch.utils.checkpoint.checkpoint(layer, *arrays, use_reentrant=reentrant)
            for x in (*arrays, slopes):
                x.grad = None
            out.sum().backward()
            self.close([x.grad for x in (*arrays, slopes)], expected, 0)

    def test_prepared(self):
        arrays, slopes = operands(), torch.rand(4).requires_grad_()
        given = (*arrays, alibi_of(slopes), MASK, 0.321)
        attn.torch.prepare(*given, return_lse=True)
        self.assertEqual([x.grad for x in (*arrays, slopes)], [None] * 4)
        plans = attn.torch._plans
        with unittest.mock.patch.multiple(plans, Forward=None, Backward=None, Launch=None, BackwardLaunch=None):
            out, lse = attn.flex_attention(*given, return_lse=True)
            out.sum().backward(retain_graph=True)
            torch.autograd.backward([out, lse], [torch.ones_like(out), torch.ones_like(lse)])

    def test_deterministic(self):
        arrays = operands()
        made = attn.torch._plans.Backward
        try:
            for flag in (True, False):
                torch.use_deterministic_algorithms(flag)
                with unittest.mock.patch.object(attn.torch._plans, "Backward", side_effect=made) as compiled:
                    # A scale of its own, so that it is compiled.
                    attn.flex_attention(*arrays, scale=0.123).sum().backward()
                self.assertEqual(compiled.call_args.args[1].deterministic, flag)
        finally:
            torch.use_deterministic_algorithms(False)

    def test_without_a_gradient_nothing_is_kept(self):
        arrays = operands()
        with torch.no_grad():
            out = attn.flex_attention(*arrays, None, MASK)
        self.assertFalse(out.requires_grad)
        self.assertIsNone(attn.flex_attention(*(x.detach() for x in arrays), None, MASK).grad_fn)
        with torch.inference_mode():
            table = torch.ones(4)
            out = attn.flex_attention(*arrays, alibi_of(table), MASK)
        self.assertFalse(out.requires_grad)

    def test_second_derivatives(self):
        query, key, value = operands()
        out = attn.flex_attention(query, key, value, None, MASK)
        (grad,) = torch.autograd.grad(out.sum(), query, create_graph=True)
        with self.assertRaisesRegex(attn.Error, "expects first derivatives of attention alone"):
            grad.sum().backward()

    def test_what_is_written_to(self):
        arrays, slopes = operands(), torch.rand(4)
        out = attn.flex_attention(*arrays, alibi_of(slopes), MASK)
        slopes.zero_()
        with self.assertRaisesRegex(RuntimeError, "modified by an inplace operation"):
            out.sum().backward()

    def test_hooks_of_saved_tensors(self):
        arrays, packed = operands(), []
        with torch.autograd.graph.saved_tensors_hooks(lambda x: packed.append(x) or x.clone(), lambda x: x):
            out = attn.flex_attention(*arrays, None, MASK)
        expected = torch.autograd.grad(attn.flex_attention(*arrays, None, MASK).sum(), arrays)
        self.assertEqual(len(packed), 5)
        self.close(torch.autograd.grad(out.sum(), arrays), expected, 0)

    def test_tensors_are_freed(self):
        arrays, slopes = operands(), torch.rand(4).requires_grad_()
        gone = [weakref.ref(x) for x in (*arrays, slopes)]
        attn.flex_attention(*arrays, alibi_of(slopes), MASK).sum().backward()
        del arrays, slopes
        gc.collect()
        self.assertEqual([x() for x in gone], [None] * 4)

    def test_memory_is_flat(self):
        arrays, table = operands(), torch.arange(QUERIES + KEYS) // 9

        def step():
            mask = lambda b, h, q, kv: table[q] == table[kv]  # noqa: E731
            mask = attn.create_block_mask(mask, None, None, QUERIES, KEYS, device="cpu")
            attn.flex_attention(*arrays, None, mask).sum().backward()

        for _ in range(50):
            step()
        gc.collect()
        before = resident()
        for _ in range(150):
            step()
        gc.collect()
        # Less than a result of each step.
        self.assertLess(resident() - before, 150 * arrays[0].nbytes / 4)

    def test_threads(self):
        problems = [operands() for _ in range(4)]
        slopes = torch.rand(4)

        def step(arrays):
            out = attn.flex_attention(*arrays, alibi_of(slopes), MASK)
            return torch.autograd.grad(out.sum(), arrays)

        expected, got = [step(x) for x in problems], {}
        body = lambda i: got.update({i: [step(problems[i]) for _ in range(10)]})  # noqa: E731
        threads = [threading.Thread(target=body, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i in range(4):
            for grads in got[i]:
                self.close(grads, expected[i], 1e-6)


if __name__ == "__main__":
    unittest.main()
