"""flex_attention: the arguments of PyTorch's, and what they mean here."""

from typing import NamedTuple, Optional

import torch
from torch.nn.attention import flex_attention as _of_torch

from .._library import Error
from ..mod import Mod
from ._autograd import attend, without
from ._forward import NO_GRADIENTS, Sequences
from ._plans import plan_of
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

# Without it each device's own is asked.
_is_any_autocast_enabled = getattr(torch._C, "_is_any_autocast_enabled", lambda: True)

# How kernels of torch are tuned: without effect here.
_TUNING = frozenset(
    "BLOCK_M BLOCK_N BLOCK_M1 BLOCK_N1 BLOCK_M2 BLOCK_N2 num_warps num_stages waves_per_eu matrix_instr_nonkdim kpack "
    "PRESCALE_QK ROWS_GUARANTEED_SAFE BLOCKS_ARE_CONTIGUOUS WRITE_DQ FORCE_USE_FLEX_ATTENTION USE_TMA SPLIT_KV "
    "BACKEND".split()
)


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
    if torch.compiler.is_compiling():
        given = (score_mod, block_mask, scale, enable_gqa, return_lse, kernel_options, return_aux)
        positions = (query_offset, lengths, query_starts, key_starts, pages)
        return _compiled(query, key, value, *given, *positions)
    if kernel_options:
        _check_options(kernel_options)
    if return_aux is not None:
        return_lse = _asks_for_lse(return_aux, return_lse)
    if not isinstance(query, torch.Tensor) or not isinstance(key, torch.Tensor) or not isinstance(value, torch.Tensor):
        raise _not_tensors(query=query, key=key, value=value)
    sequences = kinds = None
    if query_starts is not None or key_starts is not None or pages is not None:
        if pages is not None and lengths is None:
            raise Error("expects 'lengths' with 'pages', got none")
        sequences = Sequences(query_starts, key_starts, pages)
        kinds = sequences.kinds
    if _is_any_autocast_enabled():
        query, key, value = _autocast(query, key, value)
    plan = plan_of(query, key, value, scale, enable_gqa, kinds)
    if not plan.is_plain:
        query, key, value = plan.changed(query, key, value)
        plan = plan_of(query, key, value, scale, enable_gqa, kinds)
    mod, values, of_mask = programs_of(score_mod, block_mask, plan, query, key, query_offset, lengths, sequences)
    out, lse = _run(plan, mod, query, key, value, values, sequences, of_mask, return_lse)
    if return_aux is not None:
        return out, AuxOutput(lse=lse if return_lse else None)
    return (out, lse) if return_lse else out


def _compiled(query, key, value, score_mod, block_mask, scale, enable_gqa, return_lse, options, return_aux, *positions):
    """In a region of torch.compile, whose graph has an operator instead."""
    from . import _graphs

    if options:
        _check_options(options)
    if return_aux is not None:
        return_lse = _asks_for_lse(return_aux, return_lse)
    if positions[4] is not None and positions[1] is None:
        raise Error("expects 'lengths' with 'pages', got none")
    query, key, value = _autocast(query, key, value)
    lse = return_lse or torch.is_grad_enabled()
    out, lse = _graphs.attention(query, key, value, score_mod, block_mask, positions, scale, enable_gqa, lse)
    if return_aux is not None:
        return out, AuxOutput(lse=lse if return_lse else None)
    return (out, lse) if return_lse else out


def _run(plan, mod, query, key, value, values, sequences, of_mask, lse):
    if torch.is_grad_enabled():
        if query.requires_grad or key.requires_grad or value.requires_grad or _require_grad(values):
            if sequences is not None:
                raise Error(NO_GRADIENTS)
            launch = plan.launch(mod, True, query, key, value, values, None)
            tensors = [values[i] for i in launch.places]
            call = (plan, mod, launch, without(values, launch.places), of_mask, lse)
            results = attend(call, query, key, value, *tensors)
            return results if lse else (results, None)
    launch = plan.launch(mod, bool(lse), query, key, value, values, sequences)
    return launch(query, key, value, values, sequences, of_mask)


def _require_grad(values):
    for x in values:
        if isinstance(x, torch.Tensor) and x.requires_grad:
            return True
    return False


def _not_tensors(**operands):
    name, x = next((name, x) for name, x in operands.items() if not isinstance(x, torch.Tensor))
    return Error(f"expects '{name}' to be a tensor of torch, got '{type(x).__name__}'")


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


def _autocast(*operands):
    device = operands[0].device.type
    if device not in ("cpu", "cuda") or not torch.is_autocast_enabled(device):
        return operands
    dtype = torch.get_autocast_dtype(device)
    is_cast = [x.is_floating_point() and x.dtype != torch.float64 for x in operands]
    return [x.to(dtype) if cast else x for x, cast in zip(operands, is_cast)]


def prepare(query, key, value, *arguments, **named):
    """Compiles and allocates all that a call of flex_attention() with such arguments takes, and its backward pass if
    one of them requires a gradient, by running both once. Then calls with tensors of the same shapes and strides can be
    captured into a CUDA graph, backward passes where the gradient of out has the strides of out.
    """
    results = flex_attention(query, key, value, *arguments, **named)
    out, others = results if isinstance(results, tuple) else (results, None)
    if out.requires_grad:
        lse = others.lse if isinstance(others, AuxOutput) else others
        with torch.no_grad():
            grad_out = torch.zeros_like(out)
            for grads in ((grad_out,),) if lse is None else ((grad_out, None), (grad_out, torch.zeros_like(lse))):
                out.grad_fn.apply(*grads)
