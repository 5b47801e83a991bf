"""Random programs of torch's functions are recorded and give what they give in torch's eager mode.

RUN: env PYTHONPATH=%source/python ATTN_LIBRARY=%libattn %python %s 1
REQUIRES: numpy, torch
UNSUPPORTED: sanitized
The argument is the number of rounds; recorder-fuzz-long.test asks for many.
"""

import operator
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "Inputs"))
import attn
import torch
from attn import _recordings
from eager import BATCH, check_masks, check_scores

HEADS, QUERIES, KEYS = 3, 7, 9
SIZES = (BATCH, HEADS, QUERIES, KEYS)


class Programs:
    """Random programs, of nested functions whose numbers and tensors are in their closures. Each takes *at: a score's
    or a mask's arguments, the positions last."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        torch.manual_seed(seed)
        types = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)
        lows = (-9, -9, -9, -9, 0)
        self.ints = [torch.randint(low, 9, (n,)).to(t) for low, n, t in zip(lows, (5, 7, 9, 4, 6), types)]
        self.squares = [torch.randint(-9, 9, (5, 8))[:, ::2], torch.randint(-9, 9, (3, 4, 6)).transpose(0, 2)]
        self.bools = [torch.rand(n) > 0.5 for n in (4, 9)]
        self.floats = [torch.randn(n) for n in (5, 9)] + [torch.randn(7).half(), torch.randn(6).bfloat16()]

    def of(self, *makers):
        return self.random.choice(makers)

    def int(self, depth):
        """A program that gives an integer of a few thousand at the most."""
        if depth == 0:
            position, constant = self.random.randint(-4, -1), self.random.randint(-9, 9)
            return self.of(lambda *at: at[position], lambda *at: at[-1] * 0 + constant, lambda *at: at[-2])
        x, y, small = self.int(depth - 1), self.int(depth - 1), self.random.choice([-7, -3, -1, 2, 5, 8])
        binary = self.of(operator.add, operator.sub, torch.add, torch.sub, torch.minimum, torch.maximum, operator.mul)
        divide = self.of(operator.floordiv, operator.mod, torch.remainder, torch.fmod, torch.floor_divide)
        bits = self.of(operator.and_, operator.or_, operator.xor, torch.bitwise_and)
        unary = self.of(torch.abs, torch.neg, torch.sign, operator.neg, operator.invert, torch.square, abs)
        mode, condition = self.of("floor", "trunc"), self.bool(depth - 1)
        low, shift, array = self.random.randint(-5, 0), self.random.randint(0, 3), self.random.choice(self.ints)
        return self.bounded(
            self.of(
                lambda *at: binary(x(*at), y(*at)),
                lambda *at: divide(x(*at), small),
                lambda *at: divide(x(*at), torch.square(y(*at)) + 1),
                lambda *at: divide(x(*at), -1 - abs(y(*at))),
                lambda *at: torch.div(x(*at), small, rounding_mode=mode),
                lambda *at: bits(x(*at), y(*at)),
                lambda *at: bits(x(*at), small + 9),
                lambda *at: (x(*at) << shift) + (y(*at) >> shift),
                lambda *at: unary(x(*at)),
                lambda *at: torch.where(condition(*at), x(*at), y(*at)),
                lambda *at: torch.where(condition(*at), x(*at), small),
                lambda *at: x(*at).clamp(low, low + 6),
                lambda *at: torch.clamp(x(*at), max=small),
                lambda *at: condition(*at) * small + y(*at),
                lambda *at: array[x(*at) % len(array)].long(),
                lambda *at: array[x(*at) % len(array) - len(array)].to(torch.int32) - y(*at),
                self.gather(x, y),
                lambda *at: (x(*at) / 4).to(torch.int32) + torch.floor(y(*at) / 2).long(),
            )
        )

    @staticmethod
    def bounded(x):
        return lambda *at: x(*at).clamp(-2000, 2000)

    def gather(self, x, y):
        two, three = self.squares
        most = self.random.randint(0, 3)

        def chained(*at):
            row = two[x(*at) % 5]
            return row[y(*at) % 4] + row[-1]

        def unrolled(*at):
            row = two[x(*at) % 5]
            return ((row == y(*at).unsqueeze(-1)).sum(-1) + row[most]) * (row > 0).any(-1) + row.sum(dim=-1)

        def deep(*at):
            return three[x(*at) % 6, y(*at) % 4, at[-3] % 3]

        return self.of(chained, unrolled, deep)

    def bool(self, depth):
        if depth == 0:
            x, y = self.int(0), self.int(0)
            return self.of(lambda *at: x(*at) >= y(*at), lambda *at: at[-2] >= at[-1])
        x, y, p, q = self.int(depth - 1), self.int(depth - 1), self.bool(depth - 1), self.bool(depth - 1)
        compare = self.of(operator.lt, operator.le, operator.gt, operator.ge, torch.eq, operator.ne, torch.less)
        join = self.of(operator.and_, operator.or_, torch.logical_or, torch.logical_and, torch.bitwise_xor)
        array, width, flag = self.random.choice(self.bools), self.random.randint(1, 9), self.random.random() < 0.5
        half = self.random.choice([0.5, 0.25, -1.75])
        return self.of(
            lambda *at: compare(x(*at), y(*at)),
            lambda *at: compare(x(*at) - y(*at), width),
            lambda *at: compare(x(*at) * half, y(*at) + 0.5),
            lambda *at: join(p(*at), q(*at)),
            lambda *at: ~p(*at) | (q(*at) == p(*at)),
            lambda *at: torch.logical_not(p(*at)) if flag else p(*at) * q(*at) + p(*at),
            lambda *at: array[x(*at) % len(array)],
            lambda *at: at[-1].new_ones((), dtype=torch.bool) & p(*at),
            lambda *at: (x(*at) & 1).bool() ^ q(*at),
        )

    def float(self, depth):
        """A program that gives a float of a few units, computed without loss of digits."""
        if depth == 0:
            x, array = self.int(1), self.random.choice(self.floats)
            return self.of(lambda *at: at[0], lambda *at: at[0] / 2, lambda *at: array[x(*at) % len(array)].float())
        x, y, i, p = self.float(depth - 1), self.float(depth - 1), self.int(depth - 1), self.bool(depth - 1)
        c = self.random.choice([0.5, -1.25, 2.0, 0.75])
        unary = self.of(
            *(torch.tanh, torch.sigmoid, torch.sin, torch.cos, torch.abs, torch.neg, torch.erf, torch.atan, torch.relu),
            *(torch.nn.functional.silu, torch.nn.functional.gelu, torch.nn.functional.softplus, torch.square),
            *(torch.asinh, torch.nn.functional.elu, torch.nn.functional.leaky_relu, torch.nn.functional.hardswish),
        )
        positive = self.of(torch.log, torch.log2, torch.sqrt, torch.rsqrt, torch.log1p, torch.reciprocal, torch.exp2)
        binary = self.of(operator.add, operator.sub, torch.minimum, torch.maximum, torch.mul, torch.atan2, torch.hypot)
        return self.small(
            self.of(
                lambda *at: unary(x(*at)),
                lambda *at: binary(x(*at), y(*at)),
                lambda *at: positive(torch.square(x(*at)) + 0.5),
                lambda *at: torch.exp(-x(*at).abs()) * c,
                lambda *at: x(*at) / (1 + y(*at).abs()),
                lambda *at: torch.where(p(*at), x(*at), y(*at)),
                lambda *at: torch.where(p(*at), x(*at), c),
                lambda *at: torch.lerp(x(*at), y(*at), 0.25),
                lambda *at: x(*at) + (i(*at) % 5) * c,
                lambda *at: x(*at).clamp(min=c) - c * p(*at),
                lambda *at: x(*at) ** 2 - c**2,
                lambda *at: x(*at).masked_fill(p(*at), c),
            )
        )

    @staticmethod
    def small(x):
        return lambda *at: torch.clamp(x(*at), -8.0, 8.0)


def check(seed, count):
    programs = Programs(seed)
    check_masks({f"mask {i} of seed {seed}": programs.bool(3) for i in range(count)}, *SIZES[1:])
    scores = {f"score {i} of seed {seed}": programs.float(3) for i in range(count)}
    check_scores(scores, *SIZES[1:], tolerance=3e-6)


def check_recordings(seeds):
    """A recording that is kept gives what a new one would: the functions of all programs have the same few pieces of
    code, with other numbers, tensors and helpers in them."""
    kept, record = [], _recordings.record

    def counted(*arguments):
        kept.append(arguments)
        return record(*arguments)

    _recordings.record = counted
    for seed in seeds:
        programs = Programs(seed)
        for depth in (1, 1, 2):
            mask = programs.bool(depth)
            program, values = _recordings.recorded(None, mask)
            fresh = attn.mod_source(None, mask, lift=True)
            assert program.text == fresh.text, f"of seed {seed}:\n{program.text}\n{fresh.text}"
            for value, capture in zip(values, fresh.captures, strict=True):
                same = type(value) in (int, float) and (type(value), value) == (type(capture.value), capture.value)
                assert same or value is capture.value, f"of seed {seed}: {capture.name}: {value}, {capture.value}"
    assert len(kept) < 0.9 * 3 * len(seeds), f"expects that some are kept, got {len(kept)} recorded"


if __name__ == "__main__":
    rounds = int(sys.argv[1])
    check_recordings(range(100 * rounds))
    for seed in range(rounds):
        check(seed, 12)
