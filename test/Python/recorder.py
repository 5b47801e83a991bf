"""Each recorded program computes, for every (b, h, q, kv), what the Python function does with numbers.

RUN: env PYTHONPATH=%source/python ATTN_LIBRARY=%libattn %python %s
UNSUPPORTED: sanitized
The programs are those kinds of masks and scores that are written for FlexAttention.
"""

import functools
import itertools
import math
import os
import random
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "Inputs"))
import attn
from evaluate import Array, Kernel

random.seed(19)
B, H, SQ, SK = SIZES = (2, 3, 7, 9)


def positions(sizes=SIZES):
    return itertools.product(*map(range, sizes))


def ints(shape, low, high):
    return [ints(shape[1:], low, high) for _ in range(shape[0])] if shape else random.randint(low, high)


def table(shape, low, high, dtype="int32"):
    return Array(ints(shape, low, high), dtype)


def floats(*shape):
    def values(shape):
        return [values(shape[1:]) for _ in range(shape[0])] if shape else random.gauss(0, 1)

    return Array(values(shape))


def score_of(b, h, q):
    return (b * 31 + h * 17 + q * 7) % 23 / 4 - 2.75



class Programs(unittest.TestCase):
    def check_mask(self, mask, lift=False, sizes=SIZES, expected=None):
        out, _ = Kernel(attn.mod_source(mask_mod=mask, lift=lift), sizes).run(score_of)
        for i, at in enumerate(positions(sizes)):
            self.assertEqual(out[i] > 0, bool((expected or mask)(*at)), at)

    def check_score(self, score, lift=False):
        # The LSE of a row that has one key is its score.
        key = Array(0, "int32")
        kernel = Kernel(attn.mod_source(score, lambda b, h, q, kv: kv == key, lift=lift), SIZES)
        for kv in range(SK):
            key[()] = kv
            _, lse = kernel.run(score_of)
            for i, (b, h, q) in enumerate(positions(SIZES[:3])):
                expected = score(score_of(b, h, q) * (-1) ** kv, b, h, q, kv)
                if math.isinf(expected):
                    self.assertEqual(lse[i], expected, (b, h, q, kv))
                else:
                    self.assertLessEqual(abs(lse[i] - expected), 2e-6 * max(1, abs(expected)), (b, h, q, kv))

    # Masks.

    def test_causal_window_prefix(self):
        def sliding(window):
            return lambda b, h, q, kv: (q >= kv) & (q - kv <= window)

        def either(*masks):
            return lambda *at: functools.reduce(lambda x, y: x | y, (m(*at) for m in masks))

        self.check_mask(either(sliding(2), lambda b, h, q, kv: kv < 3), lift=True)

    def test_dilated_and_global_window(self):
        marked = table([SK], 0, 1, "bool")

        def mask(b, h, q, kv, dilation=2, *, window=4):
            near = (abs(q - kv) <= window) & ((q - kv) % dilation == 0)
            return near | marked[q] | marked[kv]

        self.check_mask(mask, lift=True)

    def test_documents(self):
        doc = Array([0, 0, 0, 1, 1, 2, 2, 2, 2], "int32")
        offsets = Array([0, 3, 5, 9], "int64")

        def causal(b, h, q, kv):
            return q >= kv

        def mask(b, h, q, kv, inner=causal):
            local = inner(b, h, q - offsets[doc[q]], kv - offsets[doc[kv]])
            return (doc[q] == doc[kv]) & local

        self.check_mask(mask)

    def test_shared_prefix_and_batchify(self):
        doc, prefix = Array([0, 0, 1, 1, 1, 2, 2, 2, 2], "int32"), Array([1, 0, 2], "int16")
        offsets = Array([0, 2, 5, 9], "int64")

        def shared(b, h, q, kv):
            inside = kv < offsets[doc[q] + 1] - prefix[doc[kv]]
            return inside & (doc[q] != doc[kv] - 1)

        self.check_mask(lambda b, h, q, kv: shared(q // 4, h, q % 4, kv % 8) & (q // 4 == kv // 8))

    def test_rows_that_are_indexed_again(self):
        intervals, of = table([4, 2], 0, 8), table([SK], 0, 3, "int64")

        def flamingo(b, h, q, kv):
            row = intervals[of[kv]]
            return (q >= row[0]) & (q < row[1])

        self.check_mask(flamingo)

    def test_rows(self):
        """Unrolled, where they are short: of values, of slices, of what is asked of them."""
        top, doc = table([B, H, 4, 3], 0, 4), table([SK, 4], 0, 5, "int64")

        def mask(b, h, q, kv, parity=1):
            chosen, rest, row = top[b, h, q // 2], doc[kv, 1:], doc[q]
            return (chosen == kv // 2).any() & (rest.sum() * parity > row.max()) | (chosen > rest).all()

        def expected(b, h, q, kv):
            chosen = [top[b, h, q // 2][i] for i in range(3)]
            rest, row = [doc[kv][i] for i in (1, 2, 3)], [doc[q][i] for i in range(4)]
            return kv // 2 in chosen and sum(rest) > max(row) or all(x > y for x, y in zip(chosen, rest))

        self.check_mask(mask, lift=True, expected=expected)

    def test_block_diffusion(self):
        def mask(b, h, q, kv, size=2, half=5):
            noisy_q, noisy_kv = q >= half, kv >= half
            block_q = attn.where(noisy_q, (q - half) // size, q // size)
            block_kv = attn.where(noisy_kv, (kv - half) // size, kv // size)
            diagonal = (block_q == block_kv) & (noisy_q == noisy_kv)
            return diagonal | ((block_q > block_kv) & noisy_q & attn.logical_not(noisy_kv))

        self.check_mask(mask)

    def test_tree_and_clamps(self):
        tree = table([5, 5], 0, 1, "bool")

        def mask(b, h, q, kv):
            return tree[attn.clamp(q - 2, 0, 4), attn.clamp(kv - 3, min=0, max=4)]

        self.check_mask(mask)

    def test_natten_morton_tiles(self):
        def spread(x):
            x = (x | (x << 2)) & 0x33
            return (x | (x << 1)) & 0x55

        def morton(x):
            return spread(x & 3) | (spread(x >> 2) << 1)

        def natten(b, h, q, kv, width=3, kernel=1):
            qx, qy, kx, ky = q // width, q % width, kv // width, kv % width
            cx = attn.minimum(attn.maximum(qx, kernel), 2 - kernel)
            near = (abs(cx - kx) <= kernel) & (abs(qy - ky) <= kernel)
            return near & (morton(q) + 5 >= morton(kv) ^ 1)

        self.check_mask(natten, lift=True)

    def test_four_dimensional_gather(self):
        blocks = table([B, H, 4, 3], 0, 1, "bool")
        self.check_mask(lambda b, h, q, kv: blocks[b, h, q // 2, kv // 3])
        self.check_mask(lambda b, h, q, kv: blocks[b][h][q // 2][kv // 3])

    def test_negative_division(self):
        """`//` and `%` have Python's signs, on [-9, 9] squared but for divisors of 0."""

        def mask(b, h, q, kv):
            x, y = q - 9, kv - 9
            safe = y + (y == 0)
            return (x // safe + 9) * 32 + x % safe + 20 == key[q][kv]

        def expected(x, y):
            return (x // y + 9) * 32 + x % y + 20

        key = Array([[expected(x, y or 1) for y in range(-9, 10)] for x in range(-9, 10)], "int32")
        sizes = (1, 1, 19, 19)
        out, _ = Kernel(attn.mod_source(mask_mod=mask), sizes).run(score_of)
        self.assertTrue(all(x > 0 for x in out))

    def test_constant_divisors(self):
        for y in (-5, -1, 3):
            expected = Array([(x - 9) // y * 64 + (x - 9) % y for x in range(19)], "int32")
            self.check_mask(lambda b, h, q, kv: (q - 9) // y * 64 + (q - 9) % y == expected[q], sizes=(1, 1, 19, 2))

    def test_negative_indices(self):
        x = table([SK], 0, 4, "int8")
        self.check_mask(lambda b, h, q, kv: (x[-1] >= x[q - kv]) | (x[-2] == x[kv]))

    def test_types_of_tables(self):
        u, i, s, n = (table([SK], 0, 120, t) for t in ("uint8", "int64", "int16", "int8"))
        self.check_mask(lambda b, h, q, kv: (u[q] + i[kv] > s[q]) ^ (n[kv] * 2 < u[kv]))

    def test_unsigned_bytes_and_inversion(self):
        u = Array([250, 3, 200, 0, 255, 9, 128, 127, 1], "uint8")
        self.check_mask(lambda b, h, q, kv: (~u[q] & 0xFF) > u[kv])

        # Python's ~ of a condition is an integer: compared with what it means.
        recorded = attn.mod_source(mask_mod=lambda b, h, q, kv: ~(q > kv))
        out, _ = Kernel(recorded, SIZES).run(score_of)
        for value, (b, h, q, kv) in zip(out, positions()):
            self.assertEqual(value > 0, not q > kv)

    # Scores.

    def test_alibi(self):
        self.check_score(lambda s, b, h, q, kv: s + attn.exp2(-((h + 1) * 8.0 / H)) * (kv - q))

    def test_learned_slopes(self):
        slopes, bias = floats(H), floats(2 * SK)
        self.check_score(lambda s, b, h, q, kv: s + slopes[h] * bias[q - kv + SK])

    def test_softcap(self):
        def softcap(cap, s, b, h, q, kv):
            return cap * attn.tanh(s / cap)

        self.check_score(functools.partial(softcap, 20), lift=True)
        self.check_score(functools.partial(softcap, 2.5), lift=True)

    def test_graph_biases(self):
        distance, weights = table([B, SK, SK, 2], 0, 3), floats(4, H)

        def graph(s, b, h, q, kv):
            for k in range(distance.shape[-1]):
                d = distance[b, q, kv, k]
                s = s + attn.where(d > 0, weights[attn.clamp(d, 0, 3), h], 0) / (k + 1)
            return s

        self.check_score(graph)

    def test_activations(self):
        def activation(s, b, h, q, kv):
            f = attn.gelu(s) + attn.relu(s) + attn.sigmoid(s) + attn.silu(s) + attn.softplus(s)
            return attn.log(f * f + 1e-3)

        self.check_score(activation)

    def test_pages(self):
        pages = Array([[1, 0, 3], [2, 1, -1]], "int32")

        def paged(s, b, h, q, kv):
            page = pages[b, kv // 3]
            return attn.where((page >= 0) & (q >= page), s, -math.inf)

        self.check_score(paged)

    def test_buckets(self):
        weights = floats(16, H)

        def t5(s, b, h, q, kv):
            n = abs(kv - q)
            far = 4 + attn.to_int(attn.log(attn.maximum(n, 1) / 4) / math.log(8) * 4)
            bucket = attn.where(n < 4, n, attn.minimum(far, 7)) + 8 * (kv > q)
            return s + weights[bucket, h]

        self.check_score(t5)

    def test_float_operators(self):
        def score(s, b, h, q, kv):
            x = s % 1.5 + s // 0.75 - (-s) % -0.5 + s**2 - (s + 0.125) ** -2 * 1e-2 + 2.0 ** (s / 4) + abs(s) ** 0.5
            x = x + attn.floor(s) - attn.ceil(s / 2) + attn.trunc(s) + attn.round(s) + attn.sign(s)
            return x + (q - 3) ** 3 / 2

        self.check_score(score)

    def test_nan(self):
        def score(s, b, h, q, kv):
            x = attn.log(-1.0 - s * s)
            kept = attn.logical_and(x != x, attn.isnan(attn.maximum(x, s)))
            lost = attn.logical_or(attn.logical_or(x == x, x <= s), x > s)
            return attn.where(attn.logical_and(kept, attn.logical_not(lost)), s, 100.0)

        self.check_score(score)

    def test_whole_numbers_as_scores(self):
        self.check_score(lambda s, b, h, q, kv: q - kv)
        self.check_score(lambda s, b, h, q, kv: 2.0)


if __name__ == "__main__":
    unittest.main()
