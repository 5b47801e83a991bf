"""Attention as a function of autograd."""

import threading

import torch
from torch.autograd.function import once_differentiable

from .._attention import _Once
from .._library import Error
from ..kernel import Spec
from ._backward import Backward
from ._cuda import UNPREPARED, is_capturing
from ._forward import Forward

_MOST = 256
_lock = threading.Lock()
_forwards, _backwards = {}, {}


def _kept(made, key, device, make):
    """What `make` makes, once, though threads ask for it at the same time."""
    once = made.get(key)
    if once is None and is_capturing(device.index if device.type == "cuda" else None):
        raise Error(UNPREPARED)
    if once is None:
        with _lock:
            if len(made) >= _MOST:
                made.clear()
            once = made.setdefault(key, _Once(make))
    return once.get()


class Problem:
    """What to compile for a call: a mod, and how it is run. `scale` None: 1/sqrt(head_dim)."""

    __slots__ = ("mod", "key")

    def __init__(self, mod, query, value, scale, sequences, paged):
        self.mod = mod
        self.key = (mod, query.dtype, query.shape[3], value.shape[3], scale, query.device, *sequences, paged)

    def spec(self, **more):
        _, dtype, head_dim, value_dim, scale, device, ragged_queries, ragged_keys, paged = self.key
        return Spec(
            head_dim,
            value_dim,
            dtype,
            scale,
            ragged_queries=ragged_queries,
            ragged_keys=ragged_keys,
            paged=paged,
            device=device.index if device.type == "cuda" else None,
            **more,
        )

    def forward(self, lse):
        make = lambda: Forward(self.mod, self.spec(lse=lse))  # noqa: E731
        return _kept(_forwards, (*self.key, lse), self.key[5], make)

    def backward(self, lse, wrt):
        deterministic = torch.are_deterministic_algorithms_enabled()
        spec = self.spec(lse=lse, deterministic=deterministic)
        make = lambda: Backward(self.mod, spec, wrt)  # noqa: E731
        return _kept(_backwards, (*self.key, lse, deterministic, wrt), self.key[5], make)


class Call:
    """What a launch takes besides tensors, which autograd keeps: their places among the values, and numbers."""

    __slots__ = ("problem", "rest", "places", "of_mask", "sequences", "layout")

    def __init__(self, problem, values, of_mask, sequences, layout):
        self.problem, self.of_mask, self.sequences, self.layout = problem, of_mask, sequences, layout
        self.places = [i for i, x in enumerate(values) if isinstance(x, torch.Tensor)]
        self.rest = [None if isinstance(x, torch.Tensor) else x for x in values]

    def values(self, tensors):
        values = list(self.rest)
        for place, tensor in zip(self.places, tensors):
            values[place] = tensor
        return values


class Attention(torch.autograd.Function):
    """(out, lse) of query, key, value and the tensors that a call captures."""

    @staticmethod
    def forward(ctx, call, query, key, value, *tensors):
        values = call.values(tensors)
        forward = call.problem.forward(True)
        out, lse = forward(query, key, value, values, call.sequences, call.of_mask, call.layout)
        ctx.save_for_backward(query, key, value, out, lse, *tensors)
        ctx.set_materialize_grads(False)
        ctx.call = call
        return out, lse

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_out, grad_lse):
        call = ctx.call
        query, key, value, out, lse, *tensors = ctx.saved_tensors
        if grad_out is None and grad_lse is None:
            return (None,) * (4 + len(tensors))
        grad_out = torch.zeros_like(out) if grad_out is None else grad_out
        if grad_out.stride(3) != 1 or grad_out.dtype != out.dtype:
            grad_out = grad_out.to(out.dtype).contiguous()
        if grad_lse is not None:
            grad_lse = grad_lse.float().contiguous()
        asked = [i for i, needed in enumerate(ctx.needs_input_grad[4:]) if needed]
        wrt = tuple([call.places[i] for i in asked])
        backward = call.problem.backward(grad_lse is not None, wrt)
        values = call.values(tensors)
        *grads, of_captures = backward(query, key, value, out, lse, grad_out, grad_lse, values, call.of_mask)
        of_tensors = [None] * len(tensors)
        for i, grad in zip(asked, of_captures):
            of_tensors[i] = grad.to(tensors[i])
        return (None, *grads, *of_tensors)
