"""Mods as models write them, and torch's own, give what they give in torch's eager mode, and are recorded once.

RUN: env PYTHONPATH=%source/python ATTN_LIBRARY=%libattn %python %s
REQUIRES: numpy, torch
UNSUPPORTED: sanitized
"""

import math
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "Inputs"))
import attn
import torch
from attn import _recordings
from eager import BATCH, check_masks, check_scores
from torch.nn.attention.experimental._paged_attention import PagedAttention
from torch.nn.attention.flex_attention import and_masks, create_block_mask

torch.manual_seed(19)
HEADS, LENGTH = 2, 16
SIZES = (HEADS, LENGTH, LENGTH)
offset, padding = torch.tensor(5), torch.rand(BATCH, LENGTH) > 0.3
bias, sinks = torch.randn(BATCH, HEADS, LENGTH, LENGTH).transpose(2, 3), torch.randn(HEADS)


def causal(b, h, q, kv):
    return q >= kv


class Buckets(torch.nn.Module):
    """Of T5: a learned number for each head and distance, beyond some distance for each of their logarithm."""

    def __init__(self, count=32, most=128):
        super().__init__()
        self.count, self.most, self.embedding = count, most, torch.nn.Embedding(count, HEADS)

    def forward(self, score, b, h, q, kv):
        half, exact = self.count // 2, self.count // 4
        bucket, distance = (kv > q).to(torch.long) * half, torch.abs(kv - q)
        far = torch.log(distance.float() / exact) / math.log(self.most / exact) * (half - exact)
        far = torch.min(exact + far.to(torch.long), torch.full_like(distance, half - 1))
        return score + self.embedding.weight[bucket + torch.where(distance < exact, distance, far), h]

    def near(self, score, b, h, q, kv):
        return score + self.embedding(torch.clamp(kv - q, -8, 8) + 8)[h]


class Documents:
    def __init__(self, window):
        self.ids, self.window = torch.randint(0, 3, (BATCH, LENGTH)), window

    def __call__(self, b, h, q, kv):
        return (self.ids[b, q] == self.ids[b, kv]) & self.near(b, h, q, kv)

    def near(self, b, h, q, kv):
        return (q - kv).abs() < self.window


def padded(mask, keep, first=0):
    def inner(b, h, q, kv):
        return mask(b, h, q + first, kv) & keep[b, kv]

    return inner


def paged(page_size, order):
    pages = PagedAttention(BATCH * LENGTH // page_size, page_size, BATCH, device="cpu")
    for sequence in order:
        pages.reserve(torch.tensor(sequence), torch.tensor(LENGTH))
    return pages


class Mods(unittest.TestCase):
    def test_masks(self):
        masks = {
            "decoding": lambda b, h, q, kv: q + offset >= kv,
            "padding": padded(causal, padding),
            "padding, shifted": padded(causal, padding, first=3),
            "documents": Documents(4),
            "composed": and_masks(Documents(9), padded(Documents(5).near, padding)),
            "pages": paged(4, (0, 1)).get_mask_mod(causal),
            "pages, in another order": paged(2, (1, 0)).get_mask_mod(Documents(3).near),
        }
        check_masks(masks, *SIZES)

    def test_scores(self):
        scores = {
            "buckets": Buckets(),
            "few buckets": Buckets(16, 12),
            "an embedding": Buckets().near,
            "a strided table": lambda s, b, h, q, kv: s + bias[b][h][q][kv],
            "a temperature": lambda s, b, h, q, kv: s * torch.sigmoid(sinks[h]),
            "softcapping": lambda s, b, h, q, kv: 30.0 * (s / 30.0).tanh(),
            "pages": paged(4, (1, 0)).get_score_mod(lambda s, b, h, q, kv: s + (q - kv) / 4),
        }
        check_scores(scores, *SIZES)

    def test_pictures_of_block_masks(self):
        """Ours is a program, of torch's the lists decide."""

        def near(b, h, q, kv):
            return (q - kv).abs() < 4

        ours = attn.create_block_mask(near, None, None, 40, 72, device="cpu", BLOCK_SIZE=(8, 16))
        theirs = create_block_mask(near, None, None, 40, 72, device="cpu", BLOCK_SIZE=(8, 16))
        theirs.kv_num_blocks[0, 0, 1] = 0
        pictures = [attn.show_mask(mask) for mask in (ours, theirs)]
        expected = [[abs(q - kv) < 4 for kv in range(72)] for q in range(40)]
        self.assertEqual(pictures[0].cells, expected)
        self.assertEqual([p.tiles for p in pictures], [(8, 16)] * 2)
        self.assertEqual([p.counts[1] == [0] * 5 for p in pictures], [False, True])
        self.assertEqual(pictures[0].counts[2:], pictures[1].counts[2:])

    def test_recorded_once(self):
        record, count = _recordings.record, []

        def counted(*arguments):
            count.append(arguments)
            return record(*arguments)

        _recordings.record = counted
        self.addCleanup(setattr, _recordings, "record", record)
        for _ in range(2):
            _recordings.recorded(Buckets(), Documents(4))
            _recordings.recorded(Buckets().near, padded(causal, padding.clone(), first=3))
            _recordings.recorded(None, paged(2, (0, 1)).get_mask_mod(causal))
        self.assertEqual(len(count), 3)


if __name__ == "__main__":
    unittest.main()
