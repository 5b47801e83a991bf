"""Launches of a compiled attention on arrays of one layout on the CPU: what they take is made once, then filled with
addresses.

Arguments that were made wait in a list, from which each launch takes one and to which it gives it back, so calls may
come from any thread.
"""

from . import _arrays
from ._layouts import Arguments, Bounds, address_of
from ._library import check, library
from .mod import problem_sizes


class Launch:
    """Raises Error: arrays that do not fit, by what this package checks."""

    def __init__(self, kernel, operands, values):
        """Of a Kernel on the CPU that takes neither starts nor pages; `values`: what its mod captures, in its order."""
        self._run, self._kernel, self._handle = library().attn_kernel_run, kernel, kernel._handle
        query, _, value = operands
        self._shape = (*query.shape[:3], value.shape[3])
        self._has_tensors = any(hasattr(x, "requires_grad") for x in (*operands, *values))
        arguments = self._arguments(operands, values)
        self._waiting, self._lse = [arguments], kernel.spec.lse
        self._bounds = Bounds(kernel.mod, problem_sizes(arguments.tensors[:3]))

    def _arguments(self, operands, values):
        strides = _arrays.contiguous_strides(self._shape)
        return Arguments(self._kernel.mod, operands, self._shape, strides, values, None)

    def loses_gradients(self, operands, values):
        """Whether there are tensors of torch whose gradients are asked for."""
        for x in operands if self._has_tensors else ():
            if getattr(x, "requires_grad", False):
                return True
        for x in values if self._has_tensors else ():
            if getattr(x, "requires_grad", False):
                return True
        return False

    def __call__(self, operands, values):
        """out, or (out, lse) of a spec with an LSE. Raises Error: what the library says."""
        try:
            taken = self._waiting.pop()
        except IndexError:
            taken = self._arguments(operands, values)
        query, key, value = operands
        of_query, of_key, of_value, of_out = taken.tensors
        out = _arrays.empty(self._shape, query)
        of_query.data, of_key.data = address_of(query), address_of(key)
        of_value.data, of_out.data = address_of(value), address_of(out)
        lse = None
        if self._lse:
            lse = _arrays.empty(self._shape[:3], query, "float32")
            taken.structure.lse = address_of(lse)
        if values:
            self._bounds.check(taken.captures, taken.captures.fill(values))
        status = self._run(self._handle, taken.reference)
        if status:
            check(status)
        self._waiting.append(taken)
        return (out, lse) if self._lse else out
