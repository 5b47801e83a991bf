"""Gradients of attention of tensors, launched as _forward.py launches the attention."""

import ctypes

import torch

from .. import _arrays, _c
from .._library import check, library
from ..gradient import Gradient
from ..mod import Sizes
from ._cuda import stream_of
from ._forward import Layouts
from ._layouts import Captures, layout_of
from ._tiles import Finder

_READ = ("query", "key", "value", "out", "grad_out")
_WRITTEN = ("grad_query", "grad_key", "grad_value")


class _Arguments:
    """The arguments of a launch, for tensors of one layout."""

    def __init__(self, gradient, tensors, values):
        device, arguments = gradient.spec.device, _c.GradientArguments()
        self.tensors = [_arrays.tensor(x, name, device=device) for name, x in zip(_READ + _WRITTEN, tensors)]
        for name, tensor in zip(_READ + _WRITTEN, self.tensors):
            setattr(arguments, name, ctypes.pointer(tensor))
        self.captures = Captures(gradient.mod.captures, values, device)
        arguments.captures, arguments.capture_count = self.captures.structures, self.captures.count
        self.of_captures = (ctypes.c_void_p * len(gradient.wrt))()
        arguments.grad_captures, arguments.grad_capture_count = self.of_captures, len(gradient.wrt)
        self.arguments, self.reference = arguments, ctypes.byref(arguments)

    def fill(self, tensors, lse, grad_lse, values, of_captures):
        """Returns the numbers among `values`."""
        for structure, tensor in zip(self.tensors, tensors):
            structure.data = tensor.data_ptr()
        self.arguments.lse = lse.data_ptr()
        if grad_lse is not None:
            self.arguments.grad_lse = grad_lse.data_ptr()
        for i, tensor in enumerate(of_captures):
            self.of_captures[i] = tensor.data_ptr()
        return self.captures.fill(values)


class _Ready:
    """What launches of one layout have in common."""

    def __init__(self, gradient, tensors, values):
        self.waiting = [_Arguments(gradient, tensors, values)]
        of_query, of_key, of_value = self.waiting[0].tensors[:3]
        batch, heads, queries, head_dim = of_query.sizes
        self.sizes = Sizes(batch, heads, queries, of_key.sizes[2], of_key.sizes[1], head_dim, of_value.sizes[3])
        self.workspace_bytes = self._workspace_bytes(gradient)

    def _workspace_bytes(self, gradient):
        count, sizes = ctypes.c_int64(), ctypes.byref(self.sizes.to_c())
        captures = self.waiting[0].captures
        given = (captures.structures, captures.count) if gradient.wrt else (None, 0)
        find = library().attn_gradient_workspace_bytes
        check(find(gradient._handle, sizes, None, *given, ctypes.byref(count)))
        return count.value


class Backward:
    """The gradients of what Forward(mod, spec) computes; `spec.lse`: with one of the LSE.

    Raises Error: an operation without a derivative, a spec that has no gradients.
    """

    def __init__(self, mod, spec, wrt):
        """`wrt`: the places of captures, in the mod's order, whose gradients are asked for."""
        self.places = wrt
        self.gradient = Gradient(mod, spec, [mod.captures[i].name for i in wrt])
        self._run, self._handle = library().attn_gradient_run, self.gradient._handle
        self._layouts = Layouts(lambda *given: _Ready(self.gradient, *given))
        self._finder = Finder(self.gradient, "gradient", spec.device) if mod.has_mask else None

    def __call__(self, query, key, value, out, lse, grad_out, grad_lse, values, of_mask=None):
        """(grad_query, grad_key, grad_value, gradients of captures): of the operands' types, and float32.

        grad_lse: contiguous, of a spec with `lse`, else None.
        """
        device = self.gradient.spec.device
        read = (query, key, value, out, grad_out)
        written = [torch.empty_like(x) for x in (query, key, value)]
        tensors = (*read, *written)
        layout = (*map(layout_of, read), *map(layout_of, values))
        ready = self._layouts.get(layout, device, tensors, values)
        of_captures = [self._empty_for(values[i], query) for i in self.places]
        try:
            taken = ready.waiting.pop()
        except IndexError:
            taken = _Arguments(self.gradient, tensors, values)
        numbers = taken.fill(tensors, lse, grad_lse, values, of_captures)
        workspace = torch.empty(ready.workspace_bytes, dtype=torch.uint8, device=query.device)
        arguments = taken.arguments
        arguments.workspace, arguments.workspace_bytes = workspace.data_ptr(), ready.workspace_bytes
        arguments.stream = stream = stream_of(device)
        lists = None
        if self._finder:
            lists = self._finder.lists(ready.sizes, taken.captures, values, numbers, stream, of_mask)
            arguments.tiles = lists.handle._as_parameter_ if lists else None
        check(self._run(self._handle, taken.reference))
        ready.waiting.append(taken)
        return (*written, of_captures)

    @staticmethod
    def _empty_for(value, like):
        return torch.empty(value.shape, dtype=torch.float32, device=like.device)
