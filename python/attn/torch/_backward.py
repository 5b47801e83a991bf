"""Gradients of attention of tensors, launched as _forward.py launches the attention."""

import ctypes

import torch

from .. import _arrays, _c
from .._layouts import Captures
from .._library import check, library
from ..gradient import Gradient
from ..mod import Sizes
from ._cuda import stream_of
from ._tiles import Finder

_READ = ("query", "key", "value", "out", "grad_out")
_WRITTEN = ("grad_query", "grad_key", "grad_value")


class Backward:
    """The gradients of what Forward(mod, spec) computes, compiled; `spec.lse`: with one of the LSE.

    Raises Error: an operation without a derivative, a spec that has no gradients.
    """

    def __init__(self, mod, spec, wrt):
        """`wrt`: the places of captures, in the mod's order, whose gradients are asked for."""
        self.mod, self.spec, self.wrt = mod, spec, wrt
        self.gradient = Gradient(mod, spec, [mod.captures[i].name for i in wrt])
        self.finder = Finder(self.gradient, "gradient", spec.device) if mod.has_mask else None


class _Arguments:
    """The arguments of a launch, for tensors of one layout."""

    def __init__(self, backward, tensors, values):
        device, arguments = backward.spec.device, _c.GradientArguments()
        self.tensors = [_arrays.tensor(x, name, device=device) for name, x in zip(_READ + _WRITTEN, tensors)]
        for name, tensor in zip(_READ + _WRITTEN, self.tensors):
            setattr(arguments, name, ctypes.pointer(tensor))
        self.captures = Captures(backward.mod.captures, values, device)
        arguments.captures, arguments.capture_count = self.captures.structures, self.captures.count
        self.of_captures = (ctypes.c_void_p * len(backward.wrt))()
        arguments.grad_captures, arguments.grad_capture_count = self.of_captures, len(backward.wrt)
        self.arguments, self.reference = arguments, ctypes.byref(arguments)


class BackwardLaunch:
    """Launches of compiled gradients on tensors of one layout."""

    def __init__(self, backward, read, values):
        """`read`: query, key, value, out and the gradient of out."""
        self._backward, self._device, self._on = backward, backward.spec.device, read[0].device
        self._run, self._handle = library().attn_gradient_run, backward.gradient._handle
        self._waiting = [self._arguments((*read, *map(torch.empty_like, read[:3])), values)]
        of_query, of_key, of_value = self._waiting[0].tensors[:3]
        batch, heads, queries, head_dim = of_query.sizes
        self._sizes = Sizes(batch, heads, queries, of_key.sizes[2], of_key.sizes[1], head_dim, of_value.sizes[3])
        self._workspace_bytes = self._workspace()

    def _arguments(self, tensors, values):
        return _Arguments(self._backward, tensors, values)

    def _workspace(self):
        count, sizes = ctypes.c_int64(), ctypes.byref(self._sizes.to_c())
        captures = self._waiting[0].captures
        given = (captures.structures, captures.count) if self._backward.wrt else (None, 0)
        check(library().attn_gradient_workspace_bytes(self._handle, sizes, None, *given, ctypes.byref(count)))
        return count.value

    def __call__(self, read, lse, grad_lse, values, of_mask=None):
        """(grad_query, grad_key, grad_value, gradients of captures): of the operands' types, and float32.

        read: as the layout was made of; grad_lse: contiguous, of a spec with `lse`, else None.
        """
        made = [torch.empty_like(read[0]), torch.empty_like(read[1]), torch.empty_like(read[2])]
        try:
            taken = self._waiting.pop()
        except IndexError:
            taken = self._arguments((*read, *made), values)
        for structure, tensor in zip(taken.tensors, (*read, *made)):
            structure.data = tensor.data_ptr()
        arguments = taken.arguments
        arguments.lse = lse.data_ptr()
        if grad_lse is not None:
            arguments.grad_lse = grad_lse.data_ptr()
        of_captures = []
        for i, place in enumerate(self._backward.wrt):
            of_captures.append(torch.empty(values[place].shape, dtype=torch.float32, device=self._on))
            taken.of_captures[i] = of_captures[i].data_ptr()
        numbers = taken.captures.fill(values) if values else ()
        workspace = torch.empty(self._workspace_bytes, dtype=torch.uint8, device=self._on)
        arguments.workspace, arguments.workspace_bytes = workspace.data_ptr(), self._workspace_bytes
        if self._device is not None:
            arguments.stream = stream_of(self._device)
        lists = None
        if self._backward.finder:
            given = (self._sizes, taken.captures, values, numbers, arguments.stream, of_mask)
            lists = self._backward.finder.lists(*given)
            arguments.tiles = lists.handle._as_parameter_ if lists else None
        check(self._run(self._handle, taken.reference))
        self._waiting.append(taken)
        return made, of_captures
