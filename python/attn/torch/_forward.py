"""Attention of tensors by a compiled kernel: what a launch takes is made once for a layout, and filled with addresses.

Nothing here knows of autograd. Arguments that were made for a layout wait in a list, from which each launch takes one
and to which it gives it back, so calls may come from any thread.
"""

import ctypes

import torch

from .. import _arrays, _c
from .._library import Error, library
from .._library import check as check_status
from ..kernel import Kernel
from ..mod import Sizes, problem_sizes
from ._cuda import UNPREPARED, is_capturing, stream_of
from ._layouts import Bounds, Captures, dense_strides_like, layout_of
from ._tiles import Finder

_MOST_LAYOUTS = 256


class Sequences:
    """Where sequences begin, and which pages are whose: all None for tensors with a batch of sequences."""

    __slots__ = ("query_starts", "key_starts", "pages", "layout")

    def __init__(self, query_starts=None, key_starts=None, pages=None):
        self.query_starts, self.key_starts, self.pages = query_starts, key_starts, pages
        given = [x for x in (query_starts, key_starts, pages) if x is not None]
        self.layout = tuple([layout_of(x) for x in given])

    def __bool__(self):
        return bool(self.layout)


NO_SEQUENCES = Sequences()


class Layouts:
    """What is made once for each layout, the last ones."""

    def __init__(self, make):
        self._make, self._made = make, {}

    def get(self, layout, device, *tensors):
        made = self._made.get(layout)
        if made is None:
            if is_capturing(device):
                raise Error(UNPREPARED)
            made = self._make(*tensors)
            if len(self._made) >= _MOST_LAYOUTS:
                self._made.clear()
            self._made[layout] = made
        return made


class _Arguments:
    """The arguments of a launch, for tensors of one layout."""

    def __init__(self, kernel, query, key, value, values, sequences, shape, strides):
        """`shape`, `strides`: of out."""
        device, arguments = kernel.spec.device, _c.Arguments()
        operands = (("query", query), ("key", key), ("value", value))
        self.tensors = [_arrays.tensor(x, name, device=device) for name, x in operands]
        self.tensors.append(_c.Tensor(type=self.tensors[0].type, sizes=shape, strides=strides[:3]))
        for name, tensor in zip(("query", "key", "value", "out"), self.tensors):
            setattr(arguments, name, ctypes.pointer(tensor))
        self.captures = Captures(kernel.mod.captures, values, device)
        arguments.captures, arguments.capture_count = self.captures.structures, self.captures.count
        self.arguments, self.reference = arguments, ctypes.byref(arguments)
        self._set_sequences(sequences, device)

    def _set_sequences(self, sequences, device):
        a = self.arguments
        self.starts = []
        for name in ("query_starts", "key_starts"):
            array = getattr(sequences, name)
            if array is not None:
                self.starts.append((name, _arrays.starts(array, name, device)))
                setattr(a, name, ctypes.pointer(self.starts[-1][1]))
        if sequences.pages is not None:
            self.pages = _arrays.pages(sequences.pages, device)
            a.pages = ctypes.pointer(self.pages)

    def fill(self, query, key, value, out, lse, values, sequences):
        """Returns the numbers among `values`."""
        of_query, of_key, of_value, of_out = self.tensors
        of_query.data, of_key.data = query.data_ptr(), key.data_ptr()
        of_value.data, of_out.data = value.data_ptr(), out.data_ptr()
        if lse is not None:
            self.arguments.lse = lse.data_ptr()
        if sequences:
            for name, starts in self.starts:
                starts.starts = getattr(sequences, name).data_ptr()
            if sequences.pages is not None:
                self.pages.data = sequences.pages.data_ptr()
        return self.captures.fill(values) if values else ()


class _Ready:
    """What launches of one layout have in common."""

    def __init__(self, kernel, query, key, value, values, sequences):
        self.shape = (*query.shape[:3], value.shape[3])
        self.rows = query.shape[:3]
        self.strides = dense_strides_like(self.shape, query)
        self.waiting = [self.arguments(kernel, query, key, value, values, sequences)]
        of_query, of_key, of_value, _ = self.waiting[0].tensors
        batch, heads, queries, head_dim = of_query.sizes
        paged = sequences.pages is not None
        keys = of_key.sizes[2] * (sequences.pages.shape[-1] if paged else 1)
        self.sizes = Sizes(batch, heads, queries, keys, of_key.sizes[1], head_dim, of_value.sizes[3])
        # Of a CPU's kernel the library's own is as good; without sizes of its own a kernel's is taken.
        has_own = kernel.spec.device is None or sequences
        self.workspace_bytes = 0 if has_own else kernel.workspace_bytes(self.sizes)
        # How long sequences are is known where their starts are on the CPU, and not the same in each call.
        has_starts = sequences.query_starts is not None or sequences.key_starts is not None
        self.checks_each = has_starts and kernel.spec.device is None
        self.bounds = Bounds(kernel.mod, None if has_starts else self.sizes)

    def arguments(self, *given):
        return _Arguments(*given, self.shape, self.strides)


class Forward:
    """A mod's attention of tensors on one device. Calls may come from any thread.

    Raises Error: a mod or a spec that cannot be compiled.
    """

    def __init__(self, mod, spec):
        self.kernel = Kernel(mod, spec)
        self._run, self._handle = library().attn_kernel_run, self.kernel._handle
        self._layouts = Layouts(lambda *given: _Ready(self.kernel, *given))
        needs_tiles = self.kernel.needs_tiles
        self._finder = Finder(self.kernel, "kernel", spec.device) if needs_tiles else None

    def __call__(self, query, key, value, values=(), sequences=NO_SEQUENCES, of_mask=None, layout=None):
        """(out, lse), lse None of a spec without. `values`: what the mod captures, in its order; `of_mask`: where lists
        of tiles are kept (ListsOfMask); `layout`: of query, key and value, if it is known.

        Raises Error: tensors that do not fit, by the library or by what this package checks.
        """
        device = self.kernel.spec.device
        layout = layout or operands_layout(query, key, value)
        of_values = tuple([layout_of(x) for x in values]) if values else ()
        given = (query, key, value, values, sequences)
        ready = self._layouts.get((layout, of_values, sequences.layout), device, *given)
        out = torch.empty_strided(ready.shape, ready.strides, dtype=query.dtype, device=query.device)
        lse = torch.empty(ready.rows, dtype=torch.float32, device=query.device) if self.kernel.spec.lse else None
        try:
            taken = ready.waiting.pop()
        except IndexError:
            taken = ready.arguments(self.kernel, *given)
        numbers = taken.fill(query, key, value, out, lse, values, sequences)
        arguments = taken.arguments
        if ready.checks_each:
            self._check_sequences(taken, sequences)
        elif values:
            ready.bounds.check(taken.captures, numbers)
        arguments.stream = stream = stream_of(device)
        workspace = lists = None
        if ready.workspace_bytes:
            workspace = torch.empty(ready.workspace_bytes, dtype=torch.uint8, device=query.device)
            arguments.workspace, arguments.workspace_bytes = workspace.data_ptr(), ready.workspace_bytes
        if self._finder and not sequences:
            lists = self._finder.lists(ready.sizes, taken.captures, values, numbers, stream, of_mask)
            arguments.tiles = lists.handle._as_parameter_
        status = self._run(self._handle, taken.reference)
        if status:
            check_status(status)
        ready.waiting.append(taken)
        return out, lse

    def _check_sequences(self, taken, sequences):
        """Bounds, by the lengths that starts on the CPU say."""
        starts = {"query_starts": sequences.query_starts, "key_starts": sequences.key_starts}
        sizes = problem_sizes(taken.tensors[:3], pages=sequences.pages, **starts)
        Bounds(self.kernel.mod, sizes).check(taken.captures, ())


def operands_layout(query, key, value):
    return (
        query.shape,
        query.stride(),
        key.shape,
        key.stride(),
        value.shape,
        value.stride(),
        key.dtype,
        value.dtype,
        key.device,
        value.device,
    )
