"""Attention as a function of autograd."""

import torch

from .._library import Error


class Attention(torch.autograd.Function):
    """out, or (out, lse), of query, key, value and the tensors that a mod captures.

    call: (plan, mod, launch, what the mod captures but for tensors, where lists of tiles are kept, whether the LSE is
    a result). Tensors are autograd's to keep, so that hooks see them and writes to them are noticed.
    """

    @staticmethod
    def forward(ctx, call, query, key, value, *tensors):
        _, _, launch, rest, of_mask, has_lse = call
        out, lse = launch(query, key, value, _with(rest, launch.places, tensors), None, of_mask)
        ctx.save_for_backward(query, key, value, out, lse, *tensors)
        ctx.set_materialize_grads(False)
        ctx.call = call
        return (out, lse) if has_lse else out

    @staticmethod
    def backward(ctx, grad_out, grad_lse=None):
        if not torch.is_grad_enabled():
            return _backward(ctx, grad_out, grad_lse)
        with torch.no_grad():
            grads = _backward(ctx, grad_out, grad_lse)
        return _once(ctx.saved_tensors, grads)


# Without what Function.apply does for transforms of torch.func, which these have not.
_apply = super(torch.autograd.Function, Attention).apply


def attend(*given):
    """Attention.apply()."""
    return Attention.apply(*given) if torch._C._are_functorch_transforms_active() else _apply(*given)


class _Derivatives(torch.autograd.Function):
    """Gradients that depend on tensors in a way that cannot be differentiated."""

    @staticmethod
    def forward(ctx, count, *tensors):
        return tuple([x.view_as(x) for x in tensors[-count:]])

    @staticmethod
    def backward(ctx, *grads):
        raise Error("expects first derivatives of attention alone: there are no second ones yet")


def _once(tensors, grads):
    given = [x for x in grads if x is not None]
    marked = iter(_Derivatives.apply(len(given), *tensors, *given)) if given else ()
    return tuple([None if x is None else next(marked) for x in grads])


def without(values, places):
    """Values with None for those at `places`; nothing where these are all."""
    if len(places) == len(values):
        return None
    values = list(values)
    for place in places:
        values[place] = None
    return values


def _with(rest, places, tensors):
    """The values that `rest` is of, with tensors at `places`."""
    if rest is None:
        return tensors
    values = list(rest)
    for place, tensor in zip(places, tensors):
        values[place] = tensor
    return values


def _backward(ctx, grad_out, grad_lse):
    plan, mod, launch, rest, of_mask, _ = ctx.call
    places = launch.places
    query, key, value, out, lse, *tensors = ctx.saved_tensors
    if grad_out is None and grad_lse is None:
        return (None,) * (4 + len(tensors))
    if grad_out is None:
        grad_out = torch.zeros_like(out)
    elif grad_out.stride(3) != 1:
        grad_out = torch.empty_like(out).copy_(grad_out)
    if grad_lse is not None:
        grad_lse = grad_lse.contiguous()
    asked = [i for i, needed in enumerate(ctx.needs_input_grad[4:]) if needed] if tensors else ()
    values = _with(rest, places, tensors)
    read = (query, key, value, out, grad_out)
    wrt = tuple([places[i] for i in asked])
    launch = plan.backward(mod, grad_lse is not None, wrt, read, values)
    made, of_captures = launch(read, lse, grad_lse, values, of_mask)
    of_tensors = [None] * len(tensors)
    for i, grad in zip(asked, of_captures):
        of_tensors[i] = grad.to(tensors[i])
    return (None, *made, *of_tensors)
