"""Attention as operators of torch, for graphs of torch.compile: attn::forward and attn::backward.

A program is its text (Mod.line, since code that torch makes of a graph has it in lines of its own), so that what is
kept of a graph can be used by other processes. What it captures is lists of tensors and of numbers, and which is which,
in the mod's order. Eager calls do not come here.
"""

import torch

from .._layouts import dense_strides_like
from ._plans import plan_of
from ._programs import PLAIN, mod_of_line

_PROBLEM = "Tensor[] tensors, float[] numbers, bool[] are_numbers, str mod, str[] positions, float? scale"


def in_graph(query, key, value, mod, scale, enable_gqa, return_lse, query_offset, lengths):
    """(out, lse) of a call that torch.compile traces, of a Mod or None."""
    if query.dim() == 4 and key.dim() == 4 and query.shape[0] != key.shape[0] and key.shape[0] == 1:
        key, value = (x.expand(query.shape[0], -1, -1, -1) for x in (key, value))
    query, key, value = (x if x.stride(-1) == 1 else x.contiguous() for x in (query, key, value))
    values = [] if mod is None else [mod.values[name] for name in mod.own_names]
    positions = []
    if query_offset is not None:
        positions.append("offset of each" if isinstance(query_offset, torch.Tensor) else "offset")
        values.append(query_offset)
    if lengths is not None:
        positions.append("lengths")
        values.append(lengths)
    tensors = [x for x in values if isinstance(x, torch.Tensor)]
    numbers = [float(x) for x in values if not isinstance(x, torch.Tensor)]
    are_numbers = [not isinstance(x, torch.Tensor) for x in values]
    line = PLAIN if mod is None else mod.line
    given = (tensors, numbers, are_numbers, line, positions, scale)
    lse = return_lse or torch.is_grad_enabled()
    return torch.ops.attn.forward(query, key, value, *given, enable_gqa, lse)


def _values(mod, tensors, numbers, are_numbers):
    tensors, numbers, values = iter(tensors), iter(numbers), []
    for info, is_number in zip(mod.captures, are_numbers):
        number = next(numbers) if is_number else None
        values.append(next(tensors) if not is_number else number if "float" in info.type else int(number))
    return values


def _mod_of(line, positions):
    offset = "offset of each" in positions if positions and positions[0].startswith("offset") else None
    return mod_of_line(line, offset, "lengths" in positions)


@torch.library.custom_op(
    "attn::forward",
    mutates_args=(),
    schema=f"(Tensor query, Tensor key, Tensor value, {_PROBLEM}, bool enable_gqa, bool lse) -> (Tensor, Tensor)",
)
def forward(query, key, value, tensors, numbers, are_numbers, mod, positions, scale, enable_gqa, lse):
    mod = _mod_of(mod, positions)
    values = _values(mod, tensors, numbers, are_numbers)
    plan = plan_of(query, key, value, scale, enable_gqa, None)
    out, of_rows = plan.launch(mod, lse, query, key, value, values, None)(query, key, value, values)
    return out, query.new_empty(0, dtype=torch.float32) if of_rows is None else of_rows


@forward.register_fake
def _(query, key, value, tensors, numbers, are_numbers, mod, positions, scale, enable_gqa, lse):
    shape = (*query.shape[:3], value.shape[3])
    rows = query.shape[:3] if lse else (0,)
    out = query.new_empty_strided(shape, dense_strides_like(shape, query))
    return out, query.new_empty(rows, dtype=torch.float32)


@torch.library.custom_op(
    "attn::backward",
    mutates_args=(),
    schema=(
        "(Tensor query, Tensor key, Tensor value, Tensor out, Tensor lse, Tensor grad_out, Tensor? grad_lse, "
        f"{_PROBLEM}, int[] wrt) -> Tensor[]"
    ),
)
def backward(
    query, key, value, out, lse, grad_out, grad_lse, tensors, numbers, are_numbers, mod, positions, scale, wrt
):
    """Of query, key and value, and of the tensors whose places are in `wrt`."""
    mod = _mod_of(mod, positions)
    values = _values(mod, tensors, numbers, are_numbers)
    places = [i for i, is_number in enumerate(are_numbers) if not is_number]
    plan = plan_of(query, key, value, scale, True, None)
    grad_out = grad_out if grad_out.stride(3) == 1 else grad_out.contiguous()
    grad_lse = None if grad_lse is None else grad_lse.contiguous()
    read = (query, key, value, out, grad_out)
    launch = plan.backward(mod, grad_lse is not None, tuple([places[i] for i in wrt]), read, values)
    made, of_captures = launch(read, lse, grad_lse, values)
    return [*made, *[grad.to(tensors[i].dtype) for i, grad in zip(wrt, of_captures)]]


@backward.register_fake
def _(query, key, value, out, lse, grad_out, grad_lse, tensors, numbers, are_numbers, mod, positions, scale, wrt):
    return [*map(torch.empty_like, (query, key, value)), *[tensors[i].new_empty(tensors[i].shape) for i in wrt]]


def _keep(ctx, inputs, output):
    query, key, value, tensors, *ctx.problem, enable_gqa, lse = inputs
    ctx.save_for_backward(query, key, value, *output, *tensors)
    ctx.set_materialize_grads(False)


def _gradients(ctx, grad_out, grad_lse):
    query, key, value, out, lse, *tensors = ctx.saved_tensors
    needed = ctx.needs_input_grad[3]
    wrt = [i for i in range(len(tensors)) if needed[i]] if tensors else []
    if grad_out is None:
        grad_out = torch.zeros_like(out)
    given = (query, key, value, out, lse, grad_out, grad_lse, tensors, *ctx.problem, wrt)
    grads = torch.ops.attn.backward(*given)
    of_tensors = [None] * len(tensors)
    for i, grad in zip(wrt, grads[3:]):
        of_tensors[i] = grad
    # An empty list has an empty list as its gradients, whatever is not in it.
    of_rest = [[] if isinstance(x, (list, tuple)) and not x else None for x in ctx.problem]
    return (*grads[:3], of_tensors, *of_rest, None, None)


forward.register_autograd(_gradients, setup_context=_keep)
