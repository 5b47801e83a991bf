"""flex_attention on GPUs: results, gradients, streams, graphs, memory; then times beside torch's own.

RUN: env PYTHONPATH=%source/python ATTN_LIBRARY=%libattn %python %s --no-times
REQUIRES: torch, gpu
UNSUPPORTED: sanitized
"""

import gc
import os
import statistics
import sys
import time
import unittest

import attn
import torch
from torch.nn.attention import flex_attention as of_torch

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "Inputs"))
import torch_reference as reference  # noqa: E402

HAS_GPU = torch.cuda.is_available()
DEVICE = "cuda"
BOUNDS = {torch.float32: 1e-4, torch.float16: 4e-3, torch.bfloat16: 3e-2}


def operands(batch=2, heads=4, kv_heads=4, queries=300, keys=300, dim=64, value_dim=None, dtype=torch.bfloat16):
    shapes = ((heads, queries, dim), (kv_heads, keys, dim), (kv_heads, keys, value_dim or dim))
    return [torch.randn(batch, h, n, d, device=DEVICE).to(dtype) for h, n, d in shapes]


def causal(b, h, q, kv):
    return q >= kv


def mask_of(mask_mod, query, key, **more):
    return attn.create_block_mask(mask_mod, None, None, query.shape[2], key.shape[2], device=query.device, **more)


def alibi_of(slopes):
    return lambda score, b, h, q, kv: score + slopes[h] * (kv - q)


def documents_of(document):
    return lambda b, h, q, kv: (document[q] == document[kv]) & (q >= kv)


def softcap(score, b, h, q, kv):
    return 50 * torch.tanh(score / 50)


@unittest.skipUnless(HAS_GPU, "needs a GPU")
class OnGPU(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(19)

    def close(self, got, expected, bound):
        self.assertLessEqual(reference.error(got, expected), bound)


class Results(OnGPU):
    def check(self, arrays, score=None, mask=None, block_mask=None, **more):
        bound = BOUNDS[arrays[0].dtype]
        block_mask = mask_of(mask, *arrays[:2]) if mask and block_mask is None else block_mask
        out, lse = attn.flex_attention(*arrays, score, block_mask, return_lse=True, **more)
        expected = reference.attention(*arrays, score, mask)
        self.close(out, expected[0], bound)
        self.close(lse, expected[1], 1e-3)
        return out

    def test_types_and_programs(self):
        slopes = torch.rand(4, device=DEVICE)
        for dtype in BOUNDS:
            self.check(operands(dtype=dtype), alibi_of(slopes), causal)
        self.check(operands())
        self.check(operands(), softcap, causal)

    def test_shapes(self):
        self.check(operands(heads=8, kv_heads=2, queries=130, keys=77), enable_gqa=True)
        self.check(operands(queries=1, keys=1000, dim=128, value_dim=64))
        self.check(operands(queries=65, keys=33, dim=40))
        one = operands(batch=3)
        self.check([one[0], one[1][:1], one[2][:1]])

    def test_memory_of_operands(self):
        query, key, value = (x.transpose(1, 2).contiguous().transpose(1, 2) for x in operands())
        out = self.check([query, key, value])
        self.assertEqual(out.stride(), query.stride())
        self.check([x[:, :, 1::2] for x in operands(queries=301, keys=303)])
        self.check([x.mT.contiguous().mT for x in operands()])
        self.check([x[..., 8:72] for x in operands(dim=80)])
        self.check([x[..., 1:65] for x in operands(dim=66)])  # not aligned

    def test_documents(self):
        document = torch.arange(300, device=DEVICE) // 70
        self.check(operands(), None, documents_of(document))
        table = torch.randint(0, 3, (2, 600), device=DEVICE)[:, ::2]
        self.check(operands(), None, lambda b, h, q, kv: table[b, q] == table[b, kv])

    def test_lists_of_blocks(self):
        arrays = operands(queries=512, keys=512)
        document = torch.arange(512, device=DEVICE) // 90
        mask = documents_of(document)
        made = of_torch.create_block_mask(mask, None, None, 512, 512, device=DEVICE)
        self.check(arrays, None, mask, made)
        # What is in no list is not seen, whatever mask_mod says.
        counts = torch.tensor([2, 1, 3, 1], dtype=torch.int32, device=DEVICE).reshape(1, 1, 4)
        indices = torch.tensor([[0, 2, 1, 3], [1, 0, 2, 3], [3, 1, 2, 0], [0, 1, 2, 3]], device=DEVICE)
        full_counts = torch.tensor([1, 0, 0, 2], dtype=torch.int32, device=DEVICE).reshape(1, 1, 4)
        full = torch.tensor([[3, 0, 0, 0], [0] * 4, [0] * 4, [1, 3, 0, 0]], device=DEVICE)
        lists = (counts, indices.int().reshape(1, 1, 4, 4), full_counts, full.int().reshape(1, 1, 4, 4))
        state = torch.tensor([[1, 0, 1, 2], [0, 1, 0, 0], [0, 1, 1, 1], [1, 2, 0, 2]], device=DEVICE)

        def by_state(b, h, q, kv):
            of_block = state[q // 128, kv // 128]
            return (of_block == 2) | ((of_block == 1) & (q >= kv))

        for kind in (of_torch.BlockMask, attn.BlockMask):
            self.check(arrays, None, by_state, kind.from_kv_blocks(*lists, BLOCK_SIZE=128, mask_mod=causal))

    def test_lists_of_a_program(self):
        document = torch.arange(512, device=DEVICE) // 90
        given = (documents_of(document), None, None, 512, 512)
        ours, theirs = (made(*given, device=DEVICE) for made in (attn.create_block_mask, of_torch.create_block_mask))
        for name in ("kv_num_blocks", "full_kv_num_blocks", "q_num_blocks", "full_q_num_blocks"):
            self.assertTrue(torch.equal(getattr(ours, name), getattr(theirs, name)), name)
        self.assertTrue(torch.equal(ours.to_dense(), theirs.to_dense()))

    def test_positions(self):
        query, key, value = operands(queries=20, keys=300)
        offset = torch.tensor([100, 250], dtype=torch.int32, device=DEVICE)
        mask = mask_of(causal, query, key)
        out = attn.flex_attention(query, key, value, None, mask, query_offset=offset)
        expected = reference.attention(query, key, value, None, causal, query_offset=offset.reshape(2, 1, 1, 1))
        self.close(out, expected[0], 3e-2)
        lengths = torch.tensor([30, 200], dtype=torch.int32, device=DEVICE)
        out = attn.flex_attention(query, key, value, lengths=lengths)
        keep = lambda b, h, q, kv: kv < lengths[b]  # noqa: E731
        self.close(out, reference.attention(query, key, value, None, keep)[0], 3e-2)
        starts = torch.tensor([0, 7, 20], dtype=torch.int32, device=DEVICE)
        packed = [x[:1, :, :20] for x in (query, key, value)]
        out = attn.flex_attention(*packed, query_starts=starts, key_starts=starts)
        same = lambda b, h, q, kv: (q < 7) == (kv < 7)  # noqa: E731
        self.close(out, reference.attention(*packed, None, same)[0], 3e-2)

    def test_autocast(self):
        arrays = operands(dtype=torch.float32)
        with torch.autocast(DEVICE, torch.bfloat16):
            out = attn.flex_attention(*arrays)
        self.assertEqual(out.dtype, torch.bfloat16)

    def test_compiled_around(self):
        arrays = operands()

        def model(query, key, value):
            return attn.flex_attention(query * 2, key, value) * 2

        got = torch.compile(model)(*arrays)
        self.close(got, model(*arrays), 3e-2)

    def test_whole_graph(self):
        slopes = torch.rand(4, device=DEVICE).requires_grad_()
        mod = attn.Mod.from_functions(alibi_of(slopes), causal)
        inputs = [*(x.requires_grad_() for x in operands()), slopes]

        def model(query, key, value):
            return attn.flex_attention(query * 2, key, value, mod) * 2

        got, expected = torch.compile(model, fullgraph=True)(*inputs[:3]), model(*inputs[:3])
        self.close(got, expected, 6e-2)
        grads = [torch.autograd.grad(x, inputs, torch.ones_like(x)) for x in (got, expected)]
        for x, y in zip(*grads):
            self.close(x, y, 5e-2 * max(1, y.abs().max().item()))

    def test_errors(self):
        query, key, value = operands()
        with self.assertRaisesRegex(attn.Error, "expects 'key' on cuda:0 as 'query' is, got it on cpu"):
            attn.flex_attention(query, key.cpu(), value.cpu())
        slopes = torch.rand(4)
        with self.assertRaisesRegex(attn.Error, "expects 'slopes' on cuda:0, got it on the CPU"):
            attn.flex_attention(query, key, value, alibi_of(slopes))


class Kernels(OnGPU):
    """attn's own functions."""

    def test_attention(self):
        arrays, slopes, factor = operands(), torch.rand(4, device=DEVICE), torch.tensor(1.3, device=DEVICE)

        def score(s, b, h, q, kv):
            return s * factor + slopes[h] * (kv - q)

        leaves = [reference.leaf(x) for x in (*arrays, slopes)]
        program = lambda s, b, h, q, kv: s * factor + leaves[3][h] * (kv - q)  # noqa: E731
        expected = reference.attention(*leaves[:3], program, causal)
        self.close(attn.attention(*arrays, score, causal), expected[0], 3e-2)
        (out, lse), backward = attn.attention_vjp(*arrays, score, causal, wrt=["slopes"], return_lse=True)
        grads = [torch.randn_like(out), torch.randn_like(lse)]
        torch.autograd.backward(expected, [x.double() for x in grads])
        got = backward(*grads)
        for x, leaf in zip((*got[:3], got.captures["slopes"]), leaves):
            scale = max(leaf.grad.abs().max().item(), 1)
            self.close(x / scale, leaf.grad / scale, 5e-2)

    def test_kernel(self):
        query, key, value = operands()
        document = torch.arange(300, device=DEVICE) // 70
        mod = attn.Mod.from_functions(None, documents_of(document))
        kernel = attn.Kernel(mod, attn.Spec(64, type="bfloat16", lse=True, device=torch.cuda.current_device()))
        sizes = attn.Sizes(2, 4, 300, 300)
        kernel.prepare(sizes)
        memory = torch.empty(kernel.workspace_bytes(sizes), dtype=torch.uint8, device=DEVICE)
        out, lse = kernel(query, key, value, tiles=kernel.find_tiles(sizes), workspace=memory)
        expected = reference.attention(query, key, value, None, documents_of(document))
        self.close(out, expected[0], 3e-2)
        self.close(lse, expected[1], 1e-3)


class Gradients(OnGPU):
    def check(self, arrays, score, mask, learned=(), bound=5e-2, block_mask=None, **more):
        """`score(learned)` makes the score program."""
        arrays = [x.requires_grad_() for x in arrays]
        learned = [x.requires_grad_() for x in learned]
        block_mask = mask_of(mask, *arrays[:2]) if mask and block_mask is None else block_mask
        program = score(learned) if score else None
        out, lse = attn.flex_attention(*arrays, program, block_mask, return_lse=True, **more)
        leaves = [reference.leaf(x) for x in (*arrays, *learned)]
        expected = reference.attention(*leaves[:3], score(leaves[3:]) if score else None, mask)
        grads = [torch.randn_like(out), torch.randn_like(lse)]
        torch.autograd.backward([out, lse], grads)
        torch.autograd.backward(expected, [x.double() for x in grads])
        for got, wanted in zip((*arrays, *learned), leaves):
            scale = max(wanted.grad.abs().max().item(), 1)
            self.close(got.grad / scale, wanted.grad / scale, bound)

    def test_programs(self):
        for dtype, bound in ((torch.float32, 1e-3), (torch.bfloat16, 5e-2)):
            self.check(operands(dtype=dtype), lambda _: softcap, causal, (), bound)
        self.check(operands(heads=8, kv_heads=2, queries=130, keys=77), None, None, enable_gqa=True)

    def test_captured(self):
        learned = [torch.rand(4, device=DEVICE), torch.tensor(1.3, device=DEVICE)]
        self.check(operands(), lambda x: lambda s, b, h, q, kv: s * x[1] + x[0][h] * (kv - q), causal, learned)

    def test_documents_and_lists(self):
        document = torch.arange(300, device=DEVICE) // 70
        self.check(operands(), None, documents_of(document))
        mask = documents_of(torch.arange(512, device=DEVICE) // 90)
        lists = of_torch.create_block_mask(mask, None, None, 512, 512, device=DEVICE)
        self.check(operands(queries=512, keys=512), None, mask, block_mask=lists)

    def test_deterministic(self):
        arrays = [x.requires_grad_() for x in operands(queries=700, keys=700)]
        bias = torch.rand(4, device=DEVICE).requires_grad_()

        def run():
            out = attn.flex_attention(*arrays, lambda s, b, h, q, kv: s + bias[h] * kv)
            return torch.autograd.grad(out, [*arrays, bias], torch.ones_like(out))

        torch.use_deterministic_algorithms(True)
        try:
            first = run()
            for _ in range(3):
                self.assertTrue(all(torch.equal(x, y) for x, y in zip(first, run())))
        finally:
            torch.use_deterministic_algorithms(False)


class Streams(OnGPU):
    def test_two_streams(self):
        arrays, document = operands(queries=1500, keys=1500), torch.arange(1500, device=DEVICE) // 200
        mask = mask_of(documents_of(document), *arrays[:2])
        expected = attn.flex_attention(*arrays, None, mask)
        torch.cuda.synchronize()
        streams, outs = [torch.cuda.Stream() for _ in range(2)], []
        for i in range(20):
            with torch.cuda.stream(streams[i % 2]):
                outs.append(attn.flex_attention(*arrays, None, mask))
        torch.cuda.synchronize()
        for out in outs:
            self.assertTrue(torch.equal(out, expected))

    def test_graph_with_changed_tables(self):
        arrays = operands(queries=512, keys=512)
        document = torch.arange(512, device=DEVICE) // 90
        slopes, mask = torch.rand(4, device=DEVICE), documents_of(document)
        block_mask = mask_of(mask, *arrays[:2])
        given = (*arrays, alibi_of(slopes), block_mask)
        attn.torch.prepare(*given)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            out = attn.flex_attention(*given)
        for divisor in (90, 33, 200):
            document.copy_(torch.arange(512, device=DEVICE) // divisor)
            slopes.copy_(torch.rand(4, device=DEVICE))
            arrays[0].copy_(torch.randn_like(arrays[0]))
            graph.replay()
            self.close(out, reference.attention(*arrays, alibi_of(slopes), mask)[0], 3e-2)
            # Launches besides use other memory.
            self.close(attn.flex_attention(*given), reference.attention(*arrays, alibi_of(slopes), mask)[0], 3e-2)

    def test_graph_of_lists_and_of_gradients(self):
        arrays = operands(queries=512, keys=512)
        lists = of_torch.create_block_mask(causal, None, None, 512, 512, device=DEVICE)
        with torch.no_grad():
            attn.torch.prepare(*arrays, None, lists)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                out = attn.flex_attention(*arrays, None, lists)
            graph.replay()
        self.close(out, reference.attention(*arrays, None, causal)[0], 3e-2)
        leaves = [x.requires_grad_() for x in arrays]
        mask, grad = mask_of(causal, *arrays[:2]), torch.randn_like(arrays[0])

        def step():
            result = attn.flex_attention(*leaves, None, mask)
            return torch.autograd.grad(result, leaves, grad)

        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            expected = step()
        torch.cuda.current_stream().wait_stream(side)
        with torch.cuda.graph(graph := torch.cuda.CUDAGraph()):
            grads = step()
        graph.replay()
        for got, wanted in zip(grads, expected):
            self.close(got, wanted, 5e-2)

    def test_graph_that_is_not_prepared(self):
        arrays = operands(queries=333, keys=111)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with self.assertRaisesRegex(attn.Error, "before a stream capture"):
            with torch.cuda.graph(graph):
                attn.flex_attention(*arrays)

    def test_other_devices(self):
        if torch.cuda.device_count() < 2:
            self.skipTest("needs two GPUs")
        arrays = [x.to("cuda:1") for x in operands()]
        mask = mask_of(causal, *arrays[:2])
        self.close(attn.flex_attention(*arrays, None, mask), reference.attention(*arrays, None, causal)[0], 3e-2)


class Memory(OnGPU):
    def test_flat(self):
        arrays = [x.requires_grad_() for x in operands(queries=512, keys=512)]
        document = torch.arange(512, device=DEVICE) // 90

        def step():
            mask = mask_of(documents_of(document), *arrays[:2])
            attn.flex_attention(*arrays, None, mask).sum().backward()

        for _ in range(50):
            step()
        gc.collect()
        torch.cuda.synchronize()
        before, free = torch.cuda.memory_allocated(), torch.cuda.mem_get_info()[0]
        for _ in range(1000):
            step()
        gc.collect()
        torch.cuda.synchronize()
        self.assertEqual(torch.cuda.memory_allocated(), before)
        self.assertLessEqual(free - torch.cuda.mem_get_info()[0], 8 << 20)


# Times.


def gpu_times(calls, rounds=7, launches=20):
    """Median microseconds of each, taken in turn."""
    times = {name: [] for name in calls}
    for call in calls.values():
        for _ in range(3):
            call()
    for _ in range(rounds):
        for name, call in calls.items():
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            for _ in range(launches):
                call()
            end.record()
            end.synchronize()
            times[name].append(start.elapsed_time(end) * 1000 / launches)
    return {name: statistics.median(x) for name, x in times.items()}


def host_time(call, launches=200, rounds=7):
    """Microseconds of a call that does not wait."""
    times = []
    for _ in range(rounds):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(launches):
            call()
        times.append((time.perf_counter() - start) / launches * 1e6)
    torch.cuda.synchronize()
    return min(times)


def first_call(call):
    start = time.perf_counter()
    call()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def both_masks(length):
    given = (causal, None, None, length, length)
    return [make(*given, device=DEVICE) for make in (attn.create_block_mask, of_torch.create_block_mask)]


def report_times():
    print(f"\ntorch {torch.__version__}, {torch.cuda.get_device_name()}: microseconds, attn / torch's compiled")
    slopes = torch.rand(16, device=DEVICE)
    torch._functorch.config.donated_buffer = False  # so that a backward pass can be run again
    compiled = torch.compile(of_torch.flex_attention, dynamic=False)
    arrays = [x.requires_grad_() for x in operands(2, 16, 16, 4096, 4096, 128)]
    grad = torch.randn_like(arrays[0])
    cases = {"causal": None, "alibi": alibi_of(slopes), "softcap": softcap}
    for name, score in cases.items():
        masks = both_masks(4096)
        both = {"attn": (attn.flex_attention, masks[0]), "torch": (compiled, masks[1])}
        first = {n: first_call(lambda: f(*arrays, score, m)) for n, (f, m) in both.items()}
        with torch.no_grad():
            forward = gpu_times({n: lambda f=f, m=m: f(*arrays, score, m) for n, (f, m) in both.items()})
        outs = {n: f(*arrays, score, m) for n, (f, m) in both.items()}
        again = lambda out: lambda: torch.autograd.grad(out, arrays, grad, retain_graph=True)  # noqa: E731
        backward = gpu_times({n: again(out) for n, out in outs.items()})
        row = ((forward["attn"], forward["torch"]), (backward["attn"], backward["torch"]))
        times = ", ".join(f"{what} {a:8.1f} / {t:8.1f}" for what, (a, t) in zip(("forward", "backward"), row))
        print(f"  {name:8} {times}, first call {first['attn']:.2f} / {first['torch']:.2f} s", flush=True)
    report_host_times(slopes, compiled)


def report_host_times(slopes, compiled):
    arrays = operands(1, 16, 16, 128, 128, 64)
    score = alibi_of(slopes)
    masks = both_masks(128)
    mod = attn.Mod.from_functions(score, causal)
    calls = {
        "plain": lambda: attn.flex_attention(*arrays),
        "Mod": lambda: attn.flex_attention(*arrays, mod),
        "functions": lambda: attn.flex_attention(*arrays, score, masks[0]),
        "torch compiled": lambda: compiled(*arrays, score, masks[1]),
    }
    for what, context in (("inference", torch.no_grad()), ("with gradient", torch.enable_grad())):
        if what == "with gradient":
            arrays = [x.requires_grad_() for x in arrays]
        with context:
            for call in calls.values():
                call(), call()
            print(f"  host, {what}: " + ", ".join(f"{n} {host_time(c):.1f}" for n, c in calls.items()), flush=True)
    out = attn.flex_attention(*arrays, mod)
    grad = torch.ones_like(out)
    print(f"  host, backward: {host_time(lambda: torch.autograd.grad(out, arrays, grad, retain_graph=True)):.1f}")
    document = torch.arange(32768, device=DEVICE) // 1000
    given = (documents_of(document), None, None, 32768, 32768)
    make = lambda: attn.create_block_mask(*given, device=DEVICE)  # noqa: E731
    print(f"  create_block_mask of 32k documents: {host_time(make):.1f}")
    arrays = operands(1, 16, 16, 32768, 32768, 64)
    with torch.no_grad():
        both = {
            "mask made anew": lambda: attn.flex_attention(*arrays, None, make()),
            "kept": lambda m=make(): attn.flex_attention(*arrays, None, m),
        }
        print("  GPU, 32k documents: " + ", ".join(f"{n} {t:.1f}" for n, t in gpu_times(both, 5, 5).items()))


if __name__ == "__main__":
    times = "--no-times" not in sys.argv
    if not times:
        sys.argv.remove("--no-times")
    result = unittest.main(exit=False).result
    if times and HAS_GPU:
        report_times()
    sys.exit(not result.wasSuccessful())
