"""Neighbourhood attention (NATTEN) on images: each pixel sees the square around it, with a learned bias for each offset.

    PYTHONPATH=python ATTN_LIBRARY=build/lib/CAPI/libattn.so python3 examples/python/neighbourhood.py

The pixels of an image are positions, row by row. No kernel knows of images: the neighbourhood is a mask, the bias a
score. The result and the gradients are compared with those of a gather of each pixel's neighbours.
"""

import math

import attn
import torch

BATCH, HEADS, CHANNELS, HEIGHT, WIDTH, RADIUS = 2, 2, 16, 24, 32, 3


def window_start(place, size):
    """Windows at the border are moved inside, so that all have the same number of pixels."""
    return (place - RADIUS).clamp(0, size - 2 * RADIUS - 1)


def neighbourhood(b, h, q, kv):
    row = kv // WIDTH - window_start(q // WIDTH, HEIGHT)
    column = kv % WIDTH - window_start(q % WIDTH, WIDTH)
    return (row >= 0) & (row <= 2 * RADIUS) & (column >= 0) & (column <= 2 * RADIUS)


def attend(query, key, value, bias):
    """Of (batch, heads, pixels, channels). bias: (heads, offsets of rows, offsets of columns)."""

    def with_bias(score, b, h, q, kv):
        row = kv // WIDTH - q // WIDTH + 2 * RADIUS
        column = kv % WIDTH - q % WIDTH + 2 * RADIUS
        # Scores are computed of pairs that the mask does not keep as well, if others of their tile are kept.
        return score + bias[h, row.clamp(0, 4 * RADIUS), column.clamp(0, 4 * RADIUS)]

    pixels = query.shape[2]
    mask = attn.create_block_mask(neighbourhood, None, None, pixels, pixels, device=query.device)
    return attn.flex_attention(query, key, value, with_bias, mask)


def by_gather(query, key, value, bias):
    """The same of the neighbours of each pixel, in memory of their own."""
    pixel = torch.arange(HEIGHT * WIDTH)
    square = torch.arange(2 * RADIUS + 1)
    rows = window_start(pixel // WIDTH, HEIGHT)[:, None, None] + square[:, None]
    columns = window_start(pixel % WIDTH, WIDTH)[:, None, None] + square
    near = (rows * WIDTH + columns).flatten(1)
    of_rows = (rows - (pixel // WIDTH)[:, None, None] + 2 * RADIUS).expand(-1, -1, len(square)).flatten(1)
    of_columns = (columns - (pixel % WIDTH)[:, None, None] + 2 * RADIUS).expand(-1, len(square), -1).flatten(1)
    scores = (query[:, :, :, None] * key[:, :, near]).sum(-1) / math.sqrt(CHANNELS) + bias[:, of_rows, of_columns]
    return (scores.softmax(-1)[..., None] * value[:, :, near]).sum(-2)


def main():
    torch.manual_seed(0)
    pixels = HEIGHT * WIDTH
    operands = [torch.randn(BATCH, HEADS, pixels, CHANNELS) for _ in range(3)]
    operands.append(torch.randn(HEADS, 4 * RADIUS + 1, 4 * RADIUS + 1))
    upstream, results = torch.randn(BATCH, HEADS, pixels, CHANNELS), {}
    for attention in (attend, by_gather):
        leaves = [x.clone().requires_grad_() for x in operands]
        out = attention(*leaves)
        out.backward(upstream)
        results[attention] = [out.detach(), *(x.grad for x in leaves)]

    print(attn.show_mask(neighbourhood, pixels, tiles=64))
    names = ("result", "query", "key", "value", "bias")
    apart = {name: (x - y).abs().max().item() for name, x, y in zip(names, results[attend], results[by_gather])}
    print("largest differences from a gather:", ", ".join(f"{name} {x:.0e}" for name, x in apart.items()))
    if max(apart.values()) > 1e-3:
        raise SystemExit("expects the result and the gradients of a gather")


if __name__ == "__main__":
    main()
