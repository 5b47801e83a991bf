"""Programs against torch's eager mode, at every position; many programs in one kernel, which takes time to make."""

import attn
import numpy as np
import torch
from torch.overrides import TorchFunctionMode

BATCH = 2


class _Gather(TorchFunctionMode):
    """table[i] for an index of vmap(), which getitem would ask for its value."""

    def __torch_function__(self, function, types, inputs=(), options=None):
        if function is torch.Tensor.__getitem__:
            index = inputs[1] if isinstance(inputs[1], tuple) else (inputs[1],)
            if any(isinstance(i, torch.Tensor) for i in index) and not any(isinstance(i, slice) for i in index):
                return torch.ops.aten.index(inputs[0], [torch.as_tensor(i) for i in index])
        return function(*inputs, **(options or {}))


def everywhere(function, sizes, *scores):
    """What a program gives for all (b, h, q, kv), in its own words."""
    positions = [torch.arange(n) for n in sizes]
    for dimension in reversed(range(4)):
        dims = [0] * len(scores) + [0 if i == dimension else None for i in range(4)]
        function = torch.vmap(function, in_dims=tuple(dims))
    with _Gather():
        return function(*scores, *positions)


def _chosen(programs):
    """The program that a batch of BATCH times their number asks for."""

    def program(*arguments):
        *score, b, h, q, kv = arguments
        result = score[0] if score else False
        for i, one in enumerate(programs):
            result = attn.where(b // BATCH == i, one(*score, b % BATCH, h, q, kv), result)
        return result

    return program


class _Kernel:
    def __init__(self, score, mask, count, heads, queries, keys):
        self.sizes, self.count = (count * BATCH, heads, queries, keys), count
        self.mod = attn.Mod.from_functions(score, mask)
        self.kernel = attn.Kernel(self.mod, attn.Spec(1, keys, scale=1, lse=True))

    def run(self, scores):
        """`scores`: of queries; those of keys are 1."""
        b, h, queries, keys = self.sizes
        query = np.broadcast_to(scores[None, :, :, None], (b, h, queries, 1)).astype(np.float32)
        key = np.ones((b, h, keys, 1), np.float32)
        value = np.ascontiguousarray(np.broadcast_to(np.eye(keys, dtype=np.float32), (b, h, keys, keys)))
        out, lse = self.kernel(query, key, value)
        return (x.reshape(self.count, BATCH, *x.shape[1:]) for x in (out, lse))


def check_masks(masks, heads, queries, keys):
    """`masks`: by name. Raises AssertionError where a program keeps other keys than torch's eager mode."""
    kernel = _Kernel(None, _chosen(list(masks.values())), len(masks), heads, queries, keys)
    out, _ = kernel.run(np.zeros((heads, queries)))
    for (name, mask), got in zip(masks.items(), out):
        expected = everywhere(mask, (BATCH, heads, queries, keys)).numpy()
        wrong = np.argwhere((got > 0) != np.broadcast_to(expected, got.shape))
        assert not len(wrong), f"{name}: at {wrong[0]}, and {len(wrong) - 1} more"


def check_scores(scores, heads, queries, keys, tolerance=1e-6, spread=3.0):
    """The same of scores, which are to differ by no more than `tolerance` of theirs, or of 1."""
    one = np.array(0, np.int32)
    kernel = _Kernel(_chosen(list(scores.values())), lambda b, h, q, kv: kv == one, len(scores), heads, queries, keys)
    of_queries = np.random.default_rng(19).normal(size=(heads, queries)).astype(np.float32) * spread
    given = torch.from_numpy(of_queries)[None, :, :, None].expand(BATCH, heads, queries, keys)
    with torch.no_grad():
        expected = {n: everywhere(s, given.shape, given).expand(given.shape).numpy() for n, s in scores.items()}
    for key in range(keys):
        one[()] = key
        with torch.no_grad():
            _, lse = kernel.run(of_queries)
        for (name, all_), got in zip(expected.items(), lse):
            want = all_[..., key].astype(np.float64)
            with np.errstate(invalid="ignore"):  # of infinities
                same = (got == want) | (np.abs(got - want) <= tolerance * np.maximum(1, np.abs(want)))
            assert same.all(), f"{name}: at {np.argwhere(~same)[0]}, key {key}: {got[~same][0]}, eager {want[~same][0]}"

