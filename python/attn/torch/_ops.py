"""Attention as operators of torch, for graphs of torch.compile: attn::forward and attn::backward.

A program is its text (mod.line_of, since code that torch makes of a graph has it in lines of its own), so that what is
kept of a graph can be used by other processes. What it captures is lists of tensors, integers and floats, and of which
kind each is, in the mod's order. Eager calls do not come here.
"""

import torch

from .._layouts import dense_strides_like
from .._library import Error
from ._forward import NO_GRADIENTS, Sequences
from ._plans import plan_of
from ._programs import PLAIN, mod_of_line

_PROBLEM = (
    "Tensor[] tensors, SymInt[] integers, float[] floats, str[] kinds, str mod, str[] positions, float? scale"
)
_SEQUENCES = "Tensor? query_starts, Tensor? key_starts, Tensor? pages"


def in_graph(query, key, value, line, values, positions, scale, enable_gqa, lse):
    """(out, lse) of a call that is traced: of the text of a mod in a line (mod.line_of), what it captures, and
    (query_offset, lengths, query_starts, key_starts, pages)."""
    query_offset, lengths, *sequences = positions
    values, named = list(values), []
    if query_offset is not None:
        is_of_each = isinstance(query_offset, torch.Tensor) and query_offset.dim() > 0
        named.append("offset of each" if is_of_each else "offset")
        values.append(query_offset)
    if lengths is not None:
        named.append("lengths")
        values.append(lengths)
    # As it is, a float that is an input of the graph would be a constant of it.
    values = [torch.zeros((), dtype=torch.float64) + x if isinstance(x, torch.SymFloat) else x for x in values]
    kinds = [_kind_of(x) for x in values]
    tensors, integers, floats = ([x for x, k in zip(values, kinds) if k == kind] for kind in _KINDS)
    given = (tensors, integers, floats, kinds, line, named, scale)
    return torch.ops.attn.forward(query, key, value, *given, *sequences, enable_gqa, lse)


_KINDS = ("tensor", "integer", "float")


def _kind_of(x):
    if isinstance(x, torch.Tensor):
        return "tensor"
    return "float" if isinstance(x, float) else "integer"


def _values(tensors, integers, floats, kinds):
    of_kind = {"tensor": iter(tensors), "integer": iter(integers), "float": iter(floats)}
    return [next(of_kind[kind]) for kind in kinds]


def _mod_of(line, positions):
    offset = "offset of each" in positions if positions and positions[0].startswith("offset") else None
    return mod_of_line(line, offset, "lengths" in positions)


@torch.library.custom_op(
    "attn::forward",
    mutates_args=(),
    schema=(
        f"(Tensor query, Tensor key, Tensor value, {_PROBLEM}, {_SEQUENCES}, bool enable_gqa, bool lse) -> "
        "(Tensor, Tensor)"
    ),
)
def forward(
    query,
    key,
    value,
    tensors,
    integers,
    floats,
    kinds,
    mod,
    positions,
    scale,
    query_starts,
    key_starts,
    pages,
    enable_gqa,
    lse,
):
    mod, values = _mod_of(mod, positions), _values(tensors, integers, floats, kinds)
    sequences = None
    if query_starts is not None or key_starts is not None or pages is not None:
        sequences = Sequences(query_starts, key_starts, pages)
    plan = plan_of(query, key, value, scale, enable_gqa, sequences and sequences.kinds)
    launch = plan.launch(mod, lse, query, key, value, values, sequences)
    out, of_rows = launch(query, key, value, values, sequences)
    return out, query.new_empty(0, dtype=torch.float32) if of_rows is None else of_rows


@forward.register_fake
def _(query, key, value, *problem):
    lse = problem[-1]
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
    query, key, value, out, lse, grad_out, grad_lse, tensors, integers, floats, kinds, mod, positions, scale, wrt
):
    """Of query, key and value, and of the tensors whose places are in `wrt`."""
    mod, values = _mod_of(mod, positions), _values(tensors, integers, floats, kinds)
    places = [i for i, kind in enumerate(kinds) if kind == "tensor"]
    plan = plan_of(query, key, value, scale, True, None)
    grad_out = grad_out if grad_out.stride(3) == 1 else grad_out.contiguous()
    grad_lse = None if grad_lse is None else grad_lse.contiguous()
    read = (query, key, value, out, grad_out)
    launch = plan.backward(mod, grad_lse is not None, tuple([places[i] for i in wrt]), read, values)
    made, of_captures = launch(read, lse, grad_lse, values)
    return [*made, *[grad.to(tensors[i].dtype) for i, grad in zip(wrt, of_captures)]]


@backward.register_fake
def _(query, key, value, out, lse, grad_out, grad_lse, tensors, *problem):
    wrt = problem[-1]
    return [*map(torch.empty_like, (query, key, value)), *[tensors[i].new_empty(tensors[i].shape) for i in wrt]]


def _keep(ctx, inputs, output):
    query, key, value, tensors, *ctx.problem, query_starts, key_starts, pages, _, _ = inputs
    if query_starts is not None or key_starts is not None or pages is not None:
        raise Error(NO_GRADIENTS)
    if not inputs[-1]:
        raise Error("expects 'lse' where gradients are asked for")
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
    return (*grads[:3], of_tensors, *of_rest, None, None, None, None, None)


forward.register_autograd(_gradients, setup_context=_keep)
