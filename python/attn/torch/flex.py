"""flex_attention: the arguments of PyTorch's, and what they mean here."""

from typing import NamedTuple, Optional

import torch
from torch.nn.attention import flex_attention as _of_torch

from .. import _arrays
from .._library import Error
from ._autograd import Attention, Call, Problem
from ._forward import NO_SEQUENCES, Sequences, operands_layout
from ._programs import programs_of


class _AuxRequest(NamedTuple):
    """Which results flex_attention() is asked for besides out."""

    lse: bool = False
    max_scores: bool = False


class _AuxOutput(NamedTuple):
    """What it was asked for; None the rest."""

    lse: Optional[torch.Tensor] = None
    max_scores: Optional[torch.Tensor] = None


# torch's own, which not all of its versions have.
AuxRequest = getattr(_of_torch, "AuxRequest", _AuxRequest)
AuxOutput = getattr(_of_torch, "AuxOutput", _AuxOutput)

# How kernels of torch are tuned: without effect here.
_TUNING = frozenset(
    "BLOCK_M BLOCK_N BLOCK_M1 BLOCK_N1 BLOCK_M2 BLOCK_N2 num_warps num_stages waves_per_eu matrix_instr_nonkdim kpack "
    "PRESCALE_QK ROWS_GUARANTEED_SAFE BLOCKS_ARE_CONTIGUOUS WRITE_DQ FORCE_USE_FLEX_ATTENTION USE_TMA SPLIT_KV "
    "BACKEND".split()
)
_MOST_PLANS = 1024
_plans = {}


def flex_attention(
    query,
    key,
    value,
    score_mod=None,
    block_mask=None,
    scale=None,
    enable_gqa=False,
    return_lse=False,
    kernel_options=None,
    *,
    return_aux=None,
    query_offset=None,
    lengths=None,
    query_starts=None,
    key_starts=None,
    pages=None,
):
    """Attention of tensors, on the CPU or a GPU, with gradients: PyTorch's flex_attention, with more arguments.

    query: (batch, heads, queries, head_dim); key, value: (batch or 1, kv_heads, keys, head_dim and value_dim), all of
    float32, float16 or bfloat16, of any strides (channels that are not one behind another are copied). heads must be
    kv_heads, or with `enable_gqa` a multiple. score_mod(score, b, h, q, kv): a function (docs/PythonMods.md), or an
    attn.Mod, which may have a mask. block_mask: of create_block_mask(), or torch's own, whose lists decide. scale:
    1/sqrt(head_dim) if None. kernel_options: those of torch that only tune are without effect.

    query_offset, lengths, query_starts, key_starts, pages: as for calls of attn.Kernel. Without gradients for the last
    three.

    Returns out, (batch, heads, queries, value_dim), with the order of strides of query; with `return_lse` (out, lse);
    with `return_aux` (out, AuxOutput). lse: the natural logarithm, float32 (batch, heads, queries). Both have gradients
    with respect to query, key, value, and floats that the functions capture. On a GPU all is enqueued on torch's
    current stream.

    Raises attn.Error: what cannot be, in words; attn.RecordError: a function that cannot be recorded.
    """
    given = (score_mod, block_mask, scale, enable_gqa, return_lse, kernel_options, return_aux)
    more = (query_offset, lengths, query_starts, key_starts, pages)
    if torch.compiler.is_compiling():
        return _outside_of_graphs(query, key, value, *given, *more)
    return _flex_attention(query, key, value, *given, *more)


def _flex_attention(
    query,
    key,
    value,
    score_mod,
    block_mask,
    scale,
    enable_gqa,
    return_lse,
    kernel_options,
    return_aux,
    query_offset,
    lengths,
    query_starts,
    key_starts,
    pages,
):
    if kernel_options:
        _check_options(kernel_options)
    if return_aux is not None:
        return_lse = _asks_for_lse(return_aux, return_lse)
    sequences = NO_SEQUENCES
    if query_starts is not None or key_starts is not None or pages is not None:
        sequences = Sequences(query_starts, key_starts, pages)
    query, key, value, layout = _operands(query, key, value, enable_gqa, pages is not None)
    has_others = bool(sequences) or lengths is not None or query_offset is not None
    programs = programs_of(score_mod, block_mask, query, key, query_offset, lengths, has_others)
    ragged = (query_starts is not None, key_starts is not None)
    problem = Problem(programs.mod, query, value, scale, ragged, pages is not None)
    out, lse = _run(problem, query, key, value, programs, sequences, layout, return_lse)
    if return_aux is not None:
        return out, AuxOutput(lse=lse if return_lse else None)
    return (out, lse) if return_lse else out


_outside_of_graphs = torch.compiler.disable(_flex_attention)


def _run(problem, query, key, value, programs, sequences, layout, lse):
    values, of_mask = programs.values, programs.of_mask
    if torch.is_grad_enabled():
        tensors = [x for x in values if isinstance(x, torch.Tensor)]
        if any([x.requires_grad for x in (query, key, value, *tensors)]):
            if sequences:
                raise Error(
                    "expects torch.no_grad() with query_starts, key_starts or pages: there are no gradients of "
                    "sequences one behind another and of pages yet"
                )
            call = Call(problem, values, of_mask, sequences, layout)
            return Attention.apply(call, query, key, value, *tensors)
    return problem.forward(lse)(query, key, value, values, sequences, of_mask, layout)


def _asks_for_lse(request, return_lse):
    if return_lse:
        raise Error("expects return_lse or return_aux, got both")
    if request.max_scores:
        raise Error("expects no 'max_scores' in return_aux: kernels do not give them yet")
    return bool(request.lse)


def _check_options(options):
    for name in options:
        if name.removeprefix("fwd_").removeprefix("bwd_") not in _TUNING:
            raise Error(f"expects kernel_options that only tune, got '{name}'")


def _operands(query, key, value, enable_gqa, paged):
    """(query, key, value, layout): as autocast has them, of one batch, with channels one behind another."""
    if torch.is_autocast_enabled(query.device.type):
        query, key, value = _autocast(query, key, value)
    layout = operands_layout(query, key, value)
    plan = _plans.get((layout, query.dtype, query.device, enable_gqa, paged))
    if plan is None:
        plan = _plan(query, key, value, enable_gqa, paged)
        if len(_plans) >= _MOST_PLANS:
            _plans.clear()
        _plans[(layout, query.dtype, query.device, enable_gqa, paged)] = plan
    if not plan:
        return query, key, value, layout
    if "expand" in plan:
        key, value = (x.expand(query.shape[0], -1, -1, -1) for x in (key, value))
    copied = [x.contiguous() if f"copy {i}" in plan else x for i, x in enumerate((query, key, value))]
    return (*copied, operands_layout(*copied))


def _plan(query, key, value, enable_gqa, paged):
    """What is to be done to operands of a layout. Raises Error: they do not fit."""
    operands = {"query": query, "key": key, "value": value}
    for name, x in operands.items():
        _check_operand(name, x, query)
    heads, kv_heads = query.shape[1], key.shape[1]
    if value.shape[:3] != key.shape[:3]:
        got = f"{tuple(value.shape[:3])} and {tuple(key.shape[:3])}"
        raise Error(f"expects 'value' of the batch, heads and positions of 'key', got {got}")
    if key.shape[3] != query.shape[3]:
        raise Error(f"expects 'key' with {query.shape[3]} channels as 'query' has, got {key.shape[3]}")
    if heads != kv_heads and not enable_gqa:
        raise Error(
            f"expects as many heads of 'key' and 'value' as of 'query', {heads}, got {kv_heads}: enable_gqa=True lets "
            "several heads of 'query' share one"
        )
    if kv_heads == 0 and heads or kv_heads and heads % kv_heads:
        raise Error(f"expects {heads} heads of 'query' to be a multiple of those of 'key', got {kv_heads}")
    plan = {f"copy {i}" for i, x in enumerate(operands.values()) if x.stride(3) != 1 and x.shape[3] > 1}
    if query.shape[0] != key.shape[0] and not paged:
        if key.shape[0] != 1:
            raise Error(f"expects 'key' and 'value' with a batch of {query.shape[0]} or 1, got {key.shape[0]}")
        plan.add("expand")
    return plan


def _check_operand(name, x, query):
    if not isinstance(x, torch.Tensor):
        raise Error(f"expects '{name}' to be a tensor of torch, got '{type(x).__name__}'")
    if x.is_nested:
        raise Error(f"expects '{name}' with a batch of sequences, got a nested tensor: query_starts and key_starts say where sequences begin")
    if x.dim() != 4:
        raise Error(f"expects '{name}' of shape (batch, heads, positions, channels), got {tuple(x.shape)}")
    if x.device.type not in ("cpu", "cuda"):
        raise Error(f"expects '{name}' on the CPU or a GPU of CUDA, got it on {x.device}")
    if x.device != query.device:
        raise Error(f"expects '{name}' on {query.device} as 'query' is, got it on {x.device}")
    if _arrays.type_name(x.dtype) not in _arrays.OPERAND_TYPES:
        known = ", ".join(_arrays.OPERAND_TYPES)
        raise Error(f"expects '{name}' of {known}, got {_arrays.type_name(x.dtype)}")
    if x.dtype != query.dtype:
        got = f"{_arrays.type_name(query.dtype)} and {_arrays.type_name(x.dtype)}"
        raise Error(f"expects 'query' and '{name}' of one type, got {got}")


def _autocast(*operands):
    dtype = torch.get_autocast_dtype(operands[0].device.type)
    is_cast = [x.is_floating_point() and x.dtype != torch.float64 for x in operands]
    return [x.to(dtype) if cast else x for x, cast in zip(operands, is_cast)]


def prepare(query, key, value, *arguments, **named):
    """Compiles and allocates all that a call of flex_attention() with such arguments takes, and its backward pass if
    one of them requires a gradient, by running both once. Then calls with tensors of the same shapes and strides can be
    captured into a CUDA graph.
    """
    results = flex_attention(query, key, value, *arguments, **named)
    out, *others = results if isinstance(results, tuple) else (results,)
    if out.requires_grad:
        leaves = [x for x in (query, key, value) if x.requires_grad]
        torch.autograd.grad(out, leaves, torch.zeros_like(out), allow_unused=True)
