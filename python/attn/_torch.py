"""What programs that are written with torch need besides: calls that name no value of the program, and
autograd.Functions.

Imported only where torch is.
"""

import sys

import torch
from torch.overrides import TorchFunctionMode

from ._calls import call_torch
from ._nodes import is_own
from ._rows import Row
from ._tables import Table
from ._values import Value


class Seen(TorchFunctionMode):
    """Calls of functions of torch, while a program is recorded.

    `tensor[value]` asks the tensor alone, so a mode has to see it. What the program computes of tensors alone is
    computed now: of tensors that it makes of constants it is a constant as well, of others the recording depends on
    what is in them.
    """

    def __init__(self, recording):
        super().__init__()
        self._recording = recording

    def __torch_function__(self, function, types, inputs=(), options=None):
        options = options or {}
        if is_own(sys._getframe(1).f_code):
            return function(*inputs, **options)
        operands = list(_flat((*inputs, *options.values())))
        if any(isinstance(x, (Value, Table, Row)) for x in operands):
            return call_torch(function, inputs, options)
        result = function(*inputs, **options)
        tensors = [x for x in operands if isinstance(x, torch.Tensor)]
        for x in tensors:
            self._recording.note_contents(x)
        if isinstance(result, torch.Tensor) and all(map(self._recording.is_made, tensors)):
            self._recording.make(result)
        return result


def _flat(operands):
    for x in operands:
        if isinstance(x, (list, tuple)):
            yield from _flat(x)
        else:
            yield x


def are_tensors(operands):
    """Whether there are tensors among operands, and none of a program."""
    return any([isinstance(x, torch.Tensor) for x in operands]) and not any(
        [isinstance(x, (Value, Table, Row)) for x in operands]
    )


def of_tensors(name, operands, options):
    """What torch's function of that name gives."""
    if name in ("to_float", "to_int"):
        return operands[0].to(torch.float32 if name == "to_float" else torch.int32)
    if name != "where":  # torch's other functions of two tensors take no numbers
        like = next(x for x in operands if isinstance(x, torch.Tensor))
        operands = [x if isinstance(x, torch.Tensor) else torch.full((), x, device=like.device) for x in operands]
    return getattr(torch, name)(*operands, **options)


def stand_in(value, forward_of):
    """For an autograd.Function, or its `apply`: what calls its `forward`, whose derivative is the program's; None for
    anything else. `forward_of(class)` is that function."""
    of_class = value if isinstance(value, type) else getattr(value, "__self__", None)
    if not (isinstance(of_class, type) and issubclass(of_class, torch.autograd.Function)):
        return None
    if value is of_class:
        return _Function(of_class, forward_of(of_class))
    return _Function(of_class, forward_of(of_class)).apply if getattr(value, "__name__", "") == "apply" else None


class _Function:
    """An autograd.Function in a program."""

    def __init__(self, of_class, forward):
        base = torch.autograd.Function
        # With a setup_context of its own, `forward` has no context.
        self._forward = forward
        self._has_context = getattr(of_class, "setup_context", None) is getattr(base, "setup_context", None)

    def apply(self, *operands):
        return self._forward(_Context(), *operands) if self._has_context else self._forward(*operands)


class _Context:
    """Keeps what a forward function writes to it, and has no use for it."""

    needs_input_grad = ()

    def save_for_backward(self, *_):
        pass

    mark_dirty = mark_non_differentiable = set_materialize_grads = save_for_forward = save_for_backward
