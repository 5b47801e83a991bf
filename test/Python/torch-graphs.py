"""Functions and block masks in whole graphs of torch.compile: what eager calls give, and no graph for other lengths,
numbers and tensors; by all backends, and every mod of attention-gym. torch-compile.py has what always runs.

RUN: env PYTHONPATH=%source/python ATTN_LIBRARY=%libattn %python %s
REQUIRES: long, torch
UNSUPPORTED: sanitized
"""

import functools
import os
import sys
import unittest

import attn
import torch
from torch._dynamo.testing import CompileCounterWithBackend
from torch.nn.attention import flex_attention as of_torch

BACKENDS = ("eager", "aot_eager", "inductor")
torch.manual_seed(19)
torch.set_num_threads(1)
HEADS, MOST = 4, 64
SLOPES, BIAS = torch.rand(HEADS).requires_grad_(), torch.randn(HEADS, 2 * MOST)
COUNTS = torch.randint(0, 3, (MOST,), dtype=torch.int16)


def operands(queries, keys=None, heads=HEADS, type_=torch.float32):
    shapes = [(2, n, h, 16) for n, h in ((queries, HEADS), (keys or queries, heads), (keys or queries, heads))]
    return [torch.randn(s).to(type_).transpose(1, 2).detach().requires_grad_() for s in shapes]


def causal(b, h, q, kv):
    return q >= kv


def alibi(score, b, h, q, kv):
    return score + SLOPES[h] * (kv - q)


def mask_of(mask_mod, length, make=attn.create_block_mask):
    return make(mask_mod, None, None, length, length, device="cpu", BLOCK_SIZE=16)


def tensors_of(given):
    return [x for x in torch.utils._pytree.tree_leaves(given) if isinstance(x, torch.Tensor)]


def results(function, given, wrt=()):
    """Results, and gradients of all that is given and `wrt`."""
    out = function(*given)
    out = out if isinstance(out, tuple) else (out,)
    leaves = [x for x in (*tensors_of(given), *wrt) if x.requires_grad]
    loss = sum((x * torch.linspace(-1, 1, x.shape[2]).reshape(-1, *(1,) * (x.dim() - 3))).sum() for x in out)
    return [*out, *(torch.autograd.grad(loss, leaves, allow_unused=True) if loss.requires_grad else ())]


class Cases(unittest.TestCase):
    def setUp(self):
        torch._dynamo.reset()

    def compare(self, function, calls, wrt=(), graphs=1, dynamic=True, **options):
        """Of each of `calls`, arguments of `function`; `graphs`: how many at most."""
        for backend in BACKENDS:
            torch._dynamo.reset()
            counter = CompileCounterWithBackend(backend)
            compiled = torch.compile(function, fullgraph=True, backend=counter, dynamic=dynamic, **options)
            for given in calls:
                got, expected = results(compiled, given, wrt), results(function, given, wrt)
                for x, y in zip(got, expected):
                    self.assertEqual(x is None, y is None)
                    if x is not None:
                        self.assertEqual((x.dtype, x.shape, x.stride()), (y.dtype, y.shape, y.stride()))
                        bound = 1e-5 * max(1, y.abs().nan_to_num(0, 0, 0).max().item())
                        torch.testing.assert_close(x, y, rtol=0, atol=bound if x.dtype == torch.float32 else 1e-2)
            self.assertLessEqual(counter.frame_count, graphs, backend)


class Graphs(Cases):
    def test_closures(self):
        """Of the region's own functions: numbers and tensors that they capture are inputs of one graph."""

        def layer(query, key, value, document, window, slopes, shift):
            def mask_mod(b, h, q, kv):
                near = (q - kv < window) & (kv < document.shape[1])
                return (document[b, q] == document[b, kv]) & near

            mask = attn.create_block_mask(mask_mod, 2, None, query.shape[2], key.shape[2], device=query.device)
            score_mod = lambda s, b, h, q, kv: s + slopes[h] * (kv - q) + BIAS[h, kv - q + shift]  # noqa: E731
            return attn.flex_attention(query.sin(), key, value, score_mod, mask, return_lse=True)

        calls = []
        for length, window, shift in ((33, 4, 0), (40, 5, 0), (48, 9, 3)):
            document, slopes = torch.randint(0, 3, (2, length)), torch.rand(HEADS).requires_grad_()
            calls.append((*operands(length), document, window, slopes, shift))
        # A shift of 0 is a constant of the first graph.
        self.compare(layer, calls, graphs=2)

    def test_masks_that_are_given(self):
        def layer(query, key, value, mask):
            return attn.flex_attention(query, key, value, alibi, mask)

        for make in (attn.create_block_mask, of_torch.create_block_mask):
            calls = [(*operands(n), mask_of(causal, n, make)) for n in (33, 47, 70)]
            self.compare(layer, calls, wrt=[SLOPES])

    def test_nothing_is_stale(self):
        """What a function refers to is changed between calls, in every way."""
        window, table = 3, torch.randn(HEADS, MOST)
        score = [lambda s, b, h, q, kv: s * 2]

        def mask_mod(b, h, q, kv):
            return q - kv < window

        mask = mask_of(mask_mod, 32)

        def layer(query, key, value):
            return attn.flex_attention(query, key, value, lambda s, *at: score[0](s, *at) + table[at[1], at[2]], mask)

        def check():
            with torch.no_grad():
                given = operands(32)
                self.assertTrue(torch.equal(compiled(*given), layer(*given)))

        compiled = torch.compile(layer, fullgraph=True, backend="eager")
        check()
        window = 9
        check()
        table = torch.randn(HEADS, MOST)
        check()
        table.mul_(3)
        check()
        table = torch.randn(2 * HEADS, MOST, dtype=torch.float64).half()[::2]
        check()
        score[0] = lambda s, b, h, q, kv: -s
        check()
        mask.mask_mod = causal  # of which the lists decide from now on
        check()
        mask.kv_num_blocks[0, 0, 1] = 0
        mask.full_kv_num_blocks[0, 0, 1] = 0
        check()

    def test_install(self):
        """A model that calls torch's functions."""
        attn.torch.install()
        self.addCleanup(attn.torch.uninstall)
        model, x = Model(of_torch.flex_attention, of_torch.create_block_mask), torch.randn(2, 33, 32)
        inputs = [(torch.randn(2, n, 32), torch.randint(0, 3, (2, n)).sort(-1)[0]) for n in (33, 40)]
        self.compare(lambda x, document: model(x, document)[:, None], inputs, wrt=list(model.parameters()))
        graphs = []

        def backend(graph, examples):
            graphs.append(graph)
            return graph

        torch.compile(model, fullgraph=True, backend=backend)(x, inputs[0][1])
        names = [str(n.target) for n in graphs[0].graph.nodes]
        self.assertEqual(names.count("attn_attend"), 2)
        self.assertNotIn("flex_attention", names)

    def test_errors(self):
        query, key, value = operands(33)

        def error_of(*arguments, **named):
            torch._dynamo.reset()
            layer = torch.compile(lambda: attn.flex_attention(*arguments, **named), fullgraph=True, backend="eager")
            with self.assertRaises(Exception) as raised:
                layer()
            return str(raised.exception)

        def branching(score, b, h, q, kv):
            return score if q > kv else -score

        def unknown(score, b, h, q, kv):
            return score + torch.cumsum(BIAS, 0)[h, q]

        self.assertIn("Data-dependent branching", error_of(query, key, value, branching))
        line = unknown.__code__.co_firstlineno + 1
        text = f"torch-graphs.py:{line}:1: error: 'cumsum' cannot be recorded: compute it outside of the program"
        self.assertIn(text, error_of(query, key, value, unknown))
        text = "expects 'block_mask' of 33 queries and 33 keys as 'query' and 'key' have, got one of 32 and 32"
        self.assertIn(text, error_of(query, key, value, None, mask_of(causal, 32)))
        self.assertIn("as many heads of 'key' and 'value'", error_of(query, key[:, :2], value[:, :2]))
        mod = attn.Mod.from_functions(None, causal)
        self.assertIn("expects a Mod, which may have a mask", error_of(query, key, value, mod, mask_of(causal, 33)))
        self.assertIn("a Mod without positions", error_of(query, key, value, mod.with_query_offset()))

    def test_breaks(self):
        """What dynamo cannot trace breaks a graph, which need not be whole."""

        def untraceable(score, b, h, q, kv):
            return score + SLOPES[h] * (kv - q) * (sys._getframe().f_lineno > 0)

        def layer(query, key, value):
            return attn.flex_attention(query * 2, key, value, untraceable, mask_of(causal, 33)) * 3

        given = operands(33)
        got = results(torch.compile(layer, backend="eager"), given, [SLOPES])
        for x, y in zip(got, results(layer, given, [SLOPES])):
            torch.testing.assert_close(x, y)


class Layer(torch.nn.Module):
    def __init__(self, attention):
        super().__init__()
        self.attention = attention
        self.inputs, self.output = torch.nn.Linear(32, 96), torch.nn.Linear(32, 32)
        self.slopes = torch.nn.Parameter(torch.rand(HEADS))

    def score_mod(self, score, b, h, q, kv):
        return score + self.slopes[h] * (kv - q)

    def forward(self, x, mask):
        parts = [y.unflatten(-1, (HEADS, 8)).transpose(1, 2) for y in self.inputs(x).chunk(3, -1)]
        return x + self.output(self.attention(*parts, self.score_mod, mask).transpose(1, 2).flatten(2))


class Model(torch.nn.Module):
    def __init__(self, attention, create_block_mask, checkpoints=False):
        super().__init__()
        self.create_block_mask, self.checkpoints = create_block_mask, checkpoints
        self.layers = torch.nn.ModuleList(Layer(attention) for _ in range(2))

    def forward(self, x, document):
        def mask_mod(b, h, q, kv):
            return (q >= kv) & (document[b, q] == document[b, kv])

        mask = self.create_block_mask(mask_mod, len(x), None, x.shape[1], x.shape[1], device=x.device)
        for layer in self.layers:
            if self.checkpoints:
                x = torch.utils.checkpoint.checkpoint(layer, x, mask, use_reentrant=False)
            else:
                x = layer(x, mask)
        return x


class Tanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.tanh(x)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * (1 - torch.tanh(x) ** 2)


SCORES = {
    "chained indices": lambda s, b, h, q, kv: s + BIAS[h][q - kv],
    "slices": lambda s, b, h, q, kv: s + BIAS[:, 1:][h, q] + BIAS[:, h % 3][b],
    "small integers": lambda s, b, h, q, kv: s * COUNTS[kv],
    "an autograd.Function": lambda s, b, h, q, kv: Tanh.apply(s),
    "functions of attn": lambda s, b, h, q, kv: attn.where(q > 3, attn.tanh(s), attn.maximum(s, 0.1)),
    "attn.table": lambda s, b, h, q, kv: s + attn.table(BIAS)[h, q],
    "constants": lambda s, b, h, q, kv: torch.where(q > 3, s, torch.tensor(-1.0)) * torch.full((), 2.0),
    "a partial": functools.partial(lambda s, b, h, q, kv, by: s * by, by=torch.tensor(0.5)),
    "the type of a score": lambda s, b, h, q, kv: s + BIAS[h, q].to(s.dtype),
    "learned": alibi,
}


class Calls(Cases):
    def test_scores(self):
        for name, score_mod in SCORES.items():
            for type_ in (torch.float32, torch.bfloat16):
                with self.subTest(name=name):
                    layer = functools.partial(attn.flex_attention, score_mod=score_mod)
                    self.compare(lambda *x: layer(*x), [operands(n, type_=type_) for n in (33, 40)], wrt=[SLOPES])

    def test_floats(self):
        layer = lambda q, k, v, cap: attn.flex_attention(q, k, v, lambda s, *_: cap * torch.tanh(s / cap))  # noqa: E731
        self.compare(layer, [(*operands(33), cap) for cap in (20.0, 10.0, 5.0, 2.5, 1.5, 1.25)], graphs=3)

    def test_other_arguments(self):
        doubled, attend = lambda s, b, h, q, kv: s * 2, attn.flex_attention
        for function, calls in {
            "groups": (lambda *x: attend(*x, doubled, enable_gqa=True), [operands(n, n, 2) for n in (33, 40)]),
            "one batch": (lambda q, k, v: attend(q, k[:1], v[:1], doubled), [operands(n) for n in (33, 40)]),
            "lengths": (
                lambda *x: attn.flex_attention(*x[:3], doubled, lengths=x[3]),
                [(*operands(33), torch.tensor([n, 33], dtype=torch.int32)) for n in (5, 9)],
            ),
            "an offset": (
                lambda *x: attn.flex_attention(*x[:3], doubled, mask_of(causal, 33), query_offset=x[3]),
                [(*operands(33), n) for n in (5, 9, 12)],
            ),
        }.values():
            self.compare(function, calls)

    def test_sequences_and_pages(self):
        starts = [torch.tensor([0, n, 33], dtype=torch.int32) for n in (5, 20)]
        alone = [x[:1].detach() for x in operands(33)]
        score = lambda s, b, h, q, kv: s + (q - kv)  # noqa: E731
        with torch.no_grad():
            ragged = lambda *x: attn.flex_attention(*x[:3], score, query_starts=x[3], key_starts=x[3])  # noqa: E731
            self.compare(ragged, [(*alone, x) for x in starts])
            query, key, value = (x.detach() for x in operands(4, 16))
            key, value = (x.repeat(3, 1, 1, 1) for x in (key, value))  # pages
            pages, lengths = (torch.tensor(x, dtype=torch.int32) for x in ([[0, 2], [4, 5]], [20, 32]))
            paged = lambda *x: attn.flex_attention(*x[:3], score, pages=x[3], lengths=x[4])  # noqa: E731
            self.compare(paged, [(query, key, value, x, lengths) for x in (pages, pages.flip(0))])

    def test_lists_of_blocks(self):
        def lists(length):
            m = mask_of(causal, length)
            names = ("kv_num_blocks", "kv_indices", "full_kv_num_blocks", "full_kv_indices")
            given = [getattr(m, name) for name in names]
            return attn.BlockMask.from_kv_blocks(*given, BLOCK_SIZE=16, mask_mod=causal, seq_lengths=(length, length))

        def first_rows(query, key, value, mask):
            part = mask[:, :, :2]
            part.mask_mod = causal
            return attn.flex_attention(query, key, value, None, part)

        layer = lambda *x: attn.flex_attention(*x[:3], None, x[3])  # noqa: E731
        self.compare(layer, [(*operands(n), lists(n)) for n in (33, 47, 70)])
        if hasattr(of_torch.BlockMask, "_query_length_for_sliced_blocks"):  # whose parts have their own lengths
            self.compare(first_rows, [(*operands(32, n), mask_of(causal, n)) for n in (48, 64)], graphs=2)

    def test_checkpoints(self):
        model = Model(attn.flex_attention, attn.create_block_mask, checkpoints=True)
        inputs = [(torch.randn(2, n, 32), torch.randint(0, 3, (2, n)).sort(-1)[0]) for n in (33, 40)]
        self.compare(lambda x, document: model(x, document)[:, None], inputs, wrt=list(model.parameters()))

    def test_twenty_lengths(self):
        layer = lambda q, k, v, w: attn.flex_attention(  # noqa: E731
            q, k, v, alibi, attn.create_block_mask(lambda b, h, q, kv: q - kv < w, None, None, 9, 9), query_offset=0
        )
        self.compare(layer, [(*operands(n), n // 2) for n in range(20, 40)], wrt=[SLOPES])

    def test_attention_gym(self):
        try:
            gym = _mods_of_gym()
        except ImportError:
            self.skipTest("attention-gym is not there")
        query, key, value = (x.detach() for x in operands(gym.LENGTH))
        for name, mod in {**gym.MASKS, **gym.SCORES}.items():
            with self.subTest(name=name):
                torch._dynamo.reset()
                given = (None, mask_of(mod, gym.LENGTH)) if name in gym.MASKS else (mod, None)
                layer = lambda: attn.flex_attention(query, key, value, *given)  # noqa: E731
                with torch.no_grad():
                    got = torch.compile(layer, fullgraph=True, backend="eager")()
                    torch.testing.assert_close(got, layer(), rtol=0, atol=0)


def _mods_of_gym():
    import importlib.util

    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "attention-gym.py")
    spec = importlib.util.spec_from_file_location("attention_gym", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    unittest.main()
