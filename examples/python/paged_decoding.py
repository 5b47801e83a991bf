"""A small language model that writes several texts at once, symbol by symbol, from a cache of keys in pages.

    PYTHONPATH=python ATTN_LIBRARY=build/lib/CAPI/libattn.so python3 examples/python/paged_decoding.py

Pages are taken when a text needs them, from anywhere in memory, and no length compiles anything. The texts are those
of a model without a cache, which computes all of each text again for each symbol. Weights are random.
"""

import attn
import torch
import torch.nn.functional as F
from torch import nn

HEADS, KV_HEADS, CHANNELS, LAYERS = 4, 2, 64, 2
PAGES, ROWS = 24, 16  # of the cache; positions of a page
ALPHABET = " abcdefghijklmnopqrstuvwxyz"
SLOPES = 2.0 ** -torch.arange(1.0, HEADS + 1)


def alibi(score, b, h, q, kv):
    return score + SLOPES[h] * (kv - q)


def causal(b, h, q, kv):
    return q >= kv


class Cache:
    """Keys and values of texts. A page has those of ROWS positions of one text, in all layers; `table` says which."""

    def __init__(self, texts):
        shape = (LAYERS, PAGES, KV_HEADS, ROWS, CHANNELS // HEADS)
        self.keys, self.values = torch.zeros(shape), torch.zeros(shape)
        self.table = torch.zeros(texts, PAGES, dtype=torch.int32)
        self.lengths = torch.zeros(texts, dtype=torch.int32)
        self.free = torch.randperm(PAGES).tolist()

    def reserve(self, texts, more):
        """Pages for `more` positions of these texts."""
        for text in texts:
            used, wanted = ((int(self.lengths[text]) + n + ROWS - 1) // ROWS for n in (0, more))
            for place in range(used, wanted):
                self.table[text, place] = self.free.pop()

    def attend(self, layer, texts, query, key, value):
        """Of new positions of these texts, behind the others."""
        lengths, table, count = self.lengths[texts], self.table[texts], query.shape[2]
        positions = lengths[:, None] + torch.arange(count)
        pages = table.gather(1, positions // ROWS)
        for cache, new in ((self.keys[layer], key), (self.values[layer], value)):
            cache[pages, :, positions % ROWS] = new.transpose(1, 2)
        mask = attn.create_block_mask(causal, None, None, count, PAGES * ROWS, device=query.device)
        where = {"query_offset": lengths, "lengths": lengths + count, "pages": table}
        return attn.flex_attention(query, self.keys[layer], self.values[layer], alibi, mask, enable_gqa=True, **where)


def on_matrices(layer, texts, query, key, value):
    """Of whole texts, by torch."""
    distance = torch.arange(key.shape[2]) - torch.arange(query.shape[2])[:, None]
    bias = (SLOPES[:, None, None] * distance).masked_fill(distance > 0, -torch.inf)
    return F.scaled_dot_product_attention(query, key, value, bias, enable_gqa=True)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        width = CHANNELS // HEADS
        self.embedding = nn.Embedding(len(ALPHABET), CHANNELS)
        self.inputs = nn.ModuleList(nn.Linear(CHANNELS, (HEADS + 2 * KV_HEADS) * width) for _ in range(LAYERS))
        self.outputs = nn.ModuleList(nn.Linear(CHANNELS, CHANNELS) for _ in range(LAYERS))
        self.head = nn.Linear(CHANNELS, len(ALPHABET))

    def forward(self, symbols, attend, texts):
        """Scores of what comes next: (texts, symbols, alphabet)."""
        x = self.embedding(symbols)
        for layer, (inputs, output) in enumerate(zip(self.inputs, self.outputs)):
            heads = inputs(x).unflatten(-1, (HEADS + 2 * KV_HEADS, -1)).transpose(1, 2)
            out = attend(layer, texts, *heads.split([HEADS, KV_HEADS, KV_HEADS], 1))
            x = F.layer_norm(x + 2 * output(out.transpose(1, 2).flatten(2)), [CHANNELS])
        return self.head(x)


def with_cache(model, starts, count):
    """Starts at once, each of its own length; then one symbol of all texts at a time."""
    cache, written = Cache(len(starts)), []

    def step(symbols, texts):
        cache.reserve(texts, symbols.shape[1])
        following = model(symbols, cache.attend, texts)[:, -1].argmax(-1)
        cache.lengths[texts] += symbols.shape[1]
        return following

    following = torch.cat([step(start[None], [text]) for text, start in enumerate(starts)])
    for _ in range(count):
        written.append(following)
        following = step(following[:, None], list(range(len(starts))))
    print(f"{PAGES - len(cache.free)} pages of {ROWS} positions for texts of {cache.lengths.tolist()}")
    return torch.stack(written, 1)


def without_cache(model, start, count):
    symbols = start[None]
    for _ in range(count):
        symbols = torch.cat([symbols, model(symbols, on_matrices, None)[:, -1:].argmax(-1)], 1)
    return symbols[0, len(start) :]


@torch.no_grad()
def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)  # more only wait for each other, at this size
    model, count = Model(), 24
    starts = ["the quick brown fox jumps over the lazy dog", "a stitch in time", "x"]
    starts = [torch.tensor([ALPHABET.index(c) for c in start]) for start in starts]
    written = with_cache(model, starts, count)
    for start, text in zip(starts, written):
        print("".join(ALPHABET[i] for i in start), "->", "".join(ALPHABET[i] for i in text))
        if not torch.equal(text, without_cache(model, start, count)):
            raise SystemExit("expects the text of a model without a cache")
    print("the same as without a cache")


if __name__ == "__main__":
    main()
