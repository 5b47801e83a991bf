"""Tests as other projects write them, some of which cannot pass (flex-tests.py)."""

import os
import time

import pytest
import torch
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

S = 2048


def causal(b, h, q, kv):
    return q >= kv


def operands(**more):
    return torch.randn(3, 1, 2, S, 16, device="cuda", **more)


def apart(x, y):
    return (x - y).abs().max()


@pytest.mark.parametrize("scale", (0.1, 1.0))
def test_compiled(scale):
    """With gradients, beside torch's own."""
    assert S == 64
    mask = create_block_mask(causal, None, None, S, S, device="cuda")
    given, results = operands(), []
    for function in (torch.compile(flex_attention, backend="eager"), torch.compile(flex_attention, fullgraph=True)):
        leaf = given.clone().requires_grad_()
        out = function(*leaf, block_mask=mask, scale=scale)
        out.square().sum().backward()
        results.append((out, leaf.grad))
    assert out.is_cuda and torch.cuda.is_available() and out.device.type != "cpu"
    for x, y in zip(*results):
        assert 0 < apart(x, y) < 1e-4  # not the same function twice


def test_eager():
    query, key, value = operands()
    assert apart(flex_attention(query, key, value), (query @ key.mT / 4).softmax(-1) @ value) < 1e-4


def test_mask():
    assert create_block_mask(causal, 1, 1, 256, 256, device="cuda").sparsity() == 25


def test_neither():
    pass


def test_wrong():
    assert apart(torch.compile(flex_attention)(*operands()), 0) == 0, "expects 0"


@pytest.mark.parametrize("function", (flex_attention, torch.compile(flex_attention)))
def test_float64(function):
    function(*operands(dtype=torch.float64))


def test_words():
    with pytest.raises(ValueError) as error:
        torch.compile(flex_attention)(*operands()[:, 0])
    raise AssertionError(f'"Expected 4" does not match "{error.value}"')


def test_compiler():
    torch.compile(flex_attention)(*operands())
    assert torch._dynamo.utils.counters["frames"]["ok"] == 1


@pytest.mark.skip(reason="none is here")
def test_skipped():
    pass


def test_ends():
    os._exit(3)


def test_never_ends():
    while True:
        time.sleep(1)
