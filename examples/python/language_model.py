"""A small language model, trained on the CPU on text that it makes: attention with learned slopes of ALiBi.

    PYTHONPATH=python ATTN_LIBRARY=build/lib/CAPI/libattn.so python3 examples/python/language_model.py

Each line of the text is a sum, so that the model has to look back. The same model is trained twice, on our
kernels and by torch's operations on whole matrices, from the same start: the losses are the same. `--steps N`.
"""

import argparse
import math
import random
import time

import attn
import torch
import torch.nn.functional as F
from torch import nn

CONTEXT, HEADS, CHANNELS, LAYERS, BATCH = 96, 4, 64, 2, 8


def causal(b, h, q, kv):
    return q >= kv


def on_kernels(query, key, value, slopes):
    def alibi(score, b, h, q, kv):
        return score + slopes[h] * (kv - q)

    length = query.shape[2]
    mask = attn.create_block_mask(causal, None, None, length, length, device=query.device)
    return attn.flex_attention(query, key, value, alibi, mask)


def on_matrices(query, key, value, slopes):
    positions = torch.arange(query.shape[2])
    distance = positions - positions[:, None]
    scores = query @ key.mT / math.sqrt(query.shape[3]) + slopes[:, None, None] * distance
    return scores.masked_fill(distance > 0, -math.inf).softmax(-1) @ value


class Layer(nn.Module):
    def __init__(self, attention):
        super().__init__()
        self.attention = attention
        self.norms = nn.ModuleList(nn.LayerNorm(CHANNELS) for _ in range(2))
        self.inputs, self.output = nn.Linear(CHANNELS, 3 * CHANNELS), nn.Linear(CHANNELS, CHANNELS)
        self.slopes = nn.Parameter(2.0 ** -torch.arange(1.0, HEADS + 1))
        self.rest = nn.Sequential(nn.Linear(CHANNELS, 4 * CHANNELS), nn.GELU(), nn.Linear(4 * CHANNELS, CHANNELS))

    def forward(self, x):
        parts = self.inputs(self.norms[0](x)).chunk(3, -1)
        query, key, value = (y.unflatten(-1, (HEADS, -1)).transpose(1, 2) for y in parts)
        out = self.attention(query, key, value, self.slopes)
        x = x + self.output(out.transpose(1, 2).flatten(2))
        return x + self.rest(self.norms[1](x))


class Model(nn.Module):
    def __init__(self, symbols, attention):
        super().__init__()
        self.embedding = nn.Embedding(symbols, CHANNELS)
        self.layers = nn.Sequential(*(Layer(attention) for _ in range(LAYERS)), nn.LayerNorm(CHANNELS))
        self.head = nn.Linear(CHANNELS, symbols)

    def forward(self, symbols):
        return self.head(self.layers(self.embedding(symbols)))


def make_text(lines):
    chosen = random.Random(0)
    pairs = [(chosen.randrange(100), chosen.randrange(100)) for _ in range(lines)]
    return "".join(f"{x}+{y}={x + y}\n" for x, y in pairs)


def train(attention, text, steps):
    """The loss of each step, and the slopes afterwards."""
    torch.manual_seed(0)
    alphabet = sorted(set(text))
    symbols = torch.tensor([alphabet.index(c) for c in text])
    model = Model(len(alphabet), attention)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(steps):
        places = torch.randint(len(symbols) - CONTEXT - 1, (BATCH,))[:, None] + torch.arange(CONTEXT + 1)
        batch = symbols[places]
        loss = F.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, [layer.slopes.detach().clone() for layer in model.layers[:LAYERS]]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--steps", type=int, default=60)
    torch.set_num_threads(1)  # more only wait for each other, at this size
    steps, text, results = arguments.parse_args().steps, make_text(2000), {}
    for name, attention in (("kernels", on_kernels), ("matrices", on_matrices)):
        start = time.perf_counter()
        results[name] = losses, slopes = train(attention, text, steps)
        print(f"{name:8} loss {losses[0]:.3f} to {losses[-1]:.3f} in {time.perf_counter() - start:.1f} s")
    far = max(abs(x - y) for x, y in zip(results["kernels"][0], results["matrices"][0]))
    moved = max((x - 2.0 ** -torch.arange(1.0, HEADS + 1)).abs().max().item() for x in slopes)
    print(f"largest difference of losses {far:.1e}; slopes moved by up to {moved:.3f}")
    if far > 1e-3 or losses[-1] > 0.9 * losses[0] or moved == 0:
        raise SystemExit("expects the same losses, falling, and slopes that are learned")


if __name__ == "__main__":
    main()
