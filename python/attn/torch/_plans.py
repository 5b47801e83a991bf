"""What is done for all calls with operands of one layout: found out and checked once, then looked up.

A plan has the launches of such calls: by mod, by whether the LSE is asked for, and by the layout of what is captured.
"""

import threading

import torch

from .. import _arrays
from .._attention import _Once
from .._layouts import layout_of
from .._library import Error
from ..kernel import Spec
from ._backward import Backward, BackwardLaunch
from ._cuda import UNPREPARED, is_capturing
from ._forward import Forward, Launch

_MOST = 512
_lock = threading.Lock()
# By mod and spec; by layout; by what is no tensor, the last plan.
_forwards, _backwards, _plans, _recent = {}, {}, {}, {}


def _kept(made, key, make):
    """What `make` makes, once, though threads ask for it at the same time."""
    once = made.get(key)
    if once is None:
        with _lock:
            if len(made) >= _MOST:
                made.clear()
            once = made.setdefault(key, _Once(make))
    return once.get()


def _put(made, key, value):
    if len(made) >= _MOST:
        made.clear()
    made[key] = value
    return value


def plan_of(query, key, value, scale, enable_gqa, kinds):
    """The Plan of operands; `kinds`: Sequences.kinds, or None."""
    recent = _recent.get((scale, enable_gqa, kinds))
    if recent is not None and recent.fits(query, key, value):
        return recent
    layout = (
        query.shape,
        query.stride(),
        key.shape,
        key.stride(),
        value.shape,
        value.stride(),
        query.dtype,
        key.dtype,
        value.dtype,
        query.device,
        key.device,
        value.device,
        scale,
        enable_gqa,
        kinds,
    )
    plan = _plans.get(layout) or _put(_plans, layout, Plan(query, key, value, scale, enable_gqa, kinds))
    if not plan.fits(query, key, value):
        plan.fits = _fits_of(query, key, value)
    _recent[scale, enable_gqa, kinds] = plan
    return plan


# Conditions of dynamo's, in C++: in a third of the time that it takes to find a plan by layouts.
_Conditions = getattr(getattr(getattr(torch._C, "_dynamo", None), "guards", None), "TensorGuards", None)


def _fits_of(*tensors):
    """Whether other tensors have the types, shapes, strides and devices of these; it may say no where they have."""
    if _Conditions is None:
        return _never
    sizes, strides = [list(x.shape) for x in tensors], [list(x.stride()) for x in tensors]
    return _Conditions(*tensors, dynamic_dims_sizes=sizes, dynamic_dims_strides=strides).check


def _never(*tensors):
    return False


def _takes_of(values):
    """The same of what a mod captures, of which tensors have such conditions, and others are numbers."""
    places = [i for i, x in enumerate(values) if isinstance(x, torch.Tensor)]
    others = [i for i in range(len(values)) if i not in places]
    if not places:
        return lambda values: all([type(values[i]) in _NUMBERS for i in others])
    fits = _fits_of(*[values[i] for i in places])
    if not others:
        return lambda values: fits(*values)
    return lambda values: all([type(values[i]) in _NUMBERS for i in others]) and fits(*[values[i] for i in places])


_NUMBERS = (int, float)


class Plan:
    """Raises Error: operands that do not fit."""

    def __init__(self, query, key, value, scale, enable_gqa, kinds):
        is_paged = bool(kinds and kinds[2])
        check_operands(query, key, value, enable_gqa, is_paged)
        self.expands = query.shape[0] != key.shape[0] and not is_paged
        # Kernels want channels one behind another.
        self.copies = [x.stride(3) != 1 and x.shape[3] > 1 for x in (query, key, value)]
        #: Whether operands are taken as they are.
        self.is_plain = not self.expands and not any(self.copies)
        self.device = query.device.index if query.is_cuda else None
        ragged_queries, ragged_keys, paged = kinds or (False, False, False)
        self._spec = Spec(
            query.shape[3],
            value.shape[3],
            _arrays.type_name(query.dtype),
            scale,
            ragged_queries=ragged_queries,
            ragged_keys=ragged_keys,
            paged=paged,
            device=self.device,
        )
        self._launches, self._backwards, self._recent = {}, {}, {}
        self.fits = _fits_of(query, key, value)

    def changed(self, query, key, value):
        """Operands as kernels take them."""
        if self.expands:
            key, value = (x.expand(query.shape[0], -1, -1, -1) for x in (key, value))
        return [x.contiguous() if copied else x for x, copied in zip((query, key, value), self.copies)]

    def launch(self, mod, lse, query, key, value, values, sequences):
        """The Launch of such a call: of a mod, with an LSE or without."""
        recent = self._recent.get((mod, lse))
        if recent is not None and sequences is None and recent[1](values):
            return recent[0]
        of_values = tuple([layout_of(x) for x in values]) if values else ()
        if sequences is not None:
            of_values += (sequences.layout,)
        found = self._launches.get((mod, lse, of_values))
        if found is None:
            self._check_capture()
            spec = self._spec._replace(lse=lse)
            forward = _kept(_forwards, (mod, spec), lambda: Forward(mod, spec))
            with torch.no_grad():
                found = Launch(forward, query, key, value, values, sequences)
            _put(self._launches, (mod, lse, of_values), found)
        if sequences is None:
            _put(self._recent, (mod, lse), (found, _takes_of(values)))
        return found

    def backward(self, mod, lse, wrt, tensors, values):
        """The BackwardLaunch for what a launch gave: `tensors` are query, key, value, out and the gradient of out;
        `lse`: with a gradient of the LSE; `wrt`: places of captures."""
        deterministic = torch.are_deterministic_algorithms_enabled()
        of_values = tuple([layout_of(x) for x in values]) if values else ()
        key = (mod, lse, deterministic, wrt, tensors[4].stride(), of_values)
        found = self._backwards.get(key)
        if found is None:
            self._check_capture()
            spec = self._spec._replace(lse=lse, deterministic=deterministic)
            backward = _kept(_backwards, (mod, spec, wrt), lambda: Backward(mod, spec, wrt))
            found = _put(self._backwards, key, BackwardLaunch(backward, tensors, values))
        return found

    def _check_capture(self):
        if is_capturing(self.device):
            raise Error(UNPREPARED)


def check_operands(query, key, value, enable_gqa, is_paged):
    """Raises Error: operands that do not fit each other."""
    for name, x in (("query", query), ("key", key), ("value", value)):
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
    if heads % kv_heads if kv_heads else heads:
        raise Error(f"expects {heads} heads of 'query' to be a multiple of those of 'key', got {kv_heads}")
    if key.shape[0] != 1 and key.shape[0] != query.shape[0] and not is_paged:
        raise Error(f"expects 'key' and 'value' with a batch of {query.shape[0]} or 1, got {key.shape[0]}")


def _check_operand(name, x, query):
    if x.is_nested:
        raise Error(
            f"expects '{name}' with a batch of sequences, got a nested tensor: query_starts and key_starts say where "
            "sequences begin that lie one behind another"
        )
    if x.dim() != 4:
        raise Error(f"expects '{name}' of shape (batch, heads, positions, channels), got {tuple(x.shape)}")
    if x.device != query.device:
        raise Error(f"expects '{name}' on {query.device} as 'query' is, got it on {x.device}")
    if x.device.type not in ("cpu", "cuda"):
        raise Error(f"expects '{name}' on the CPU or a GPU of CUDA, got it on {x.device}")
    if _arrays.type_name(x.dtype) not in _arrays.OPERAND_TYPES:
        known = ", ".join(_arrays.OPERAND_TYPES)
        raise Error(f"expects '{name}' of {known}, got {_arrays.type_name(x.dtype)}")
    if x.dtype != query.dtype:
        got = f"{_arrays.type_name(query.dtype)} and {_arrays.type_name(x.dtype)}"
        raise Error(f"expects 'query' and '{name}' of one type, got {got}")
