"""Attention of tensors by compiled kernels: what a launch takes is made once for a layout, and filled with addresses.

Nothing here knows of autograd. Arguments that were made for a layout wait in a list, from which each launch takes one
and to which it gives it back, so calls may come from any thread.
"""

import ctypes

import torch

from .. import _arrays
from .._layouts import Arguments, Bounds, dense_strides_like, layout_of
from .._library import library
from .._library import check as check_status
from ..kernel import Kernel
from ..mod import Sizes, problem_sizes
from ._cuda import stream_of
from ._tiles import Finder


NO_GRADIENTS = (
    "expects torch.no_grad() with query_starts, key_starts or pages: there are no gradients of sequences one behind "
    "another and of pages yet"
)


class Sequences:
    """Where sequences begin, and which pages are whose; None of it for tensors with a batch of sequences."""

    __slots__ = ("query_starts", "key_starts", "pages", "layout")

    def __init__(self, query_starts=None, key_starts=None, pages=None):
        self.query_starts, self.key_starts, self.pages = query_starts, key_starts, pages
        given = [x for x in (query_starts, key_starts, pages) if x is not None]
        self.layout = tuple([layout_of(x) for x in given])

    @property
    def kinds(self):
        """Of a spec: whether queries and keys lie one behind another, and whether keys lie in pages."""
        return self.query_starts is not None, self.key_starts is not None, self.pages is not None


class Forward:
    """A mod's attention of tensors on one device, compiled.

    Raises Error: a mod or a spec that cannot be compiled.
    """

    def __init__(self, mod, spec):
        self.mod, self.spec, self.kernel = mod, spec, Kernel(mod, spec)
        self.finder = Finder(self.kernel, "kernel", spec.device) if self.kernel.needs_tiles else None


class _Arguments(Arguments):
    """Of sequences one behind another, too."""

    def __init__(self, forward, operands, shape, strides, values, sequences):
        device = forward.spec.device
        super().__init__(forward.mod, operands, shape, strides, values, device)
        if sequences:
            self._set_sequences(sequences, device)

    def _set_sequences(self, sequences, device):
        self.starts = []
        for name in ("query_starts", "key_starts"):
            array = getattr(sequences, name)
            if array is not None:
                self.starts.append((name, _arrays.starts(array, name, device)))
                setattr(self.structure, name, ctypes.pointer(self.starts[-1][1]))
        if sequences.pages is not None:
            self.pages = _arrays.pages(sequences.pages, device)
            self.structure.pages = ctypes.pointer(self.pages)

    def fill_sequences(self, sequences):
        for name, starts in self.starts:
            starts.starts = getattr(sequences, name).data_ptr()
        if sequences.pages is not None:
            self.pages.data = sequences.pages.data_ptr()


class Launch:
    """Launches of a compiled attention on tensors of one layout.

    Raises Error: tensors that do not fit, by what this package checks.
    """

    def __init__(self, forward, query, key, value, values, sequences):
        self._forward, device = forward, forward.spec.device
        self._run, self._handle = library().attn_kernel_run, forward.kernel._handle
        self.shape = (*query.shape[:3], value.shape[3])
        self.strides = dense_strides_like(self.shape, query)
        self._is_like_query = self.shape == query.shape and self.strides == query.stride()
        self._dtype, self._on, self._device = query.dtype, query.device, device
        #: Which values are tensors.
        self.places = tuple([i for i, x in enumerate(values) if isinstance(x, torch.Tensor)])
        self._waiting = [self._arguments(query, key, value, values, sequences)]
        of_query, of_key, of_value, _ = self._waiting[0].tensors
        batch, heads, queries, head_dim = of_query.sizes
        keys = of_key.sizes[2] * (sequences.pages.shape[-1] if sequences and sequences.pages is not None else 1)
        self._sizes = Sizes(batch, heads, queries, keys, of_key.sizes[1], head_dim, of_value.sizes[3])
        # Of the CPU, and of sequences one behind another, the kernel's own is taken.
        self._workspace_bytes = 0 if device is None or sequences else forward.kernel.workspace_bytes(self._sizes)
        # Lists are those of a batch of sequences.
        self._finder = None if sequences else forward.finder
        # How long sequences are is known where their starts are on the CPU, and not the same in each call.
        has_starts = bool(sequences) and any(sequences.kinds[:2])
        self._checks_each = has_starts and device is None
        self._bounds = Bounds(forward.mod, None if has_starts else self._sizes)
        # empty_like() of it takes half of the time of empty().
        self._rows = torch.empty(1, dtype=torch.float32, device=self._on).expand(self.shape[:3])

    def _arguments(self, query, key, value, values, sequences):
        return _Arguments(self._forward, (query, key, value), self.shape, self.strides, values, sequences)

    def __call__(self, query, key, value, values=(), sequences=None, of_mask=None):
        """(out, lse), lse None of a spec without. `values`: what the mod captures, in its order; `of_mask`: where lists
        of tiles are kept (ListsOfMask).

        Raises Error: what the library says.
        """
        if self._is_like_query:  # which takes half the time
            out = torch.empty_like(query)
        else:
            out = torch.empty_strided(self.shape, self.strides, dtype=self._dtype, device=self._on)
        try:
            taken = self._waiting.pop()
        except IndexError:
            taken = self._arguments(query, key, value, values, sequences)
        arguments = taken.structure
        of_query, of_key, of_value, of_out = taken.tensors
        of_query.data, of_key.data = query.data_ptr(), key.data_ptr()
        of_value.data, of_out.data = value.data_ptr(), out.data_ptr()
        lse = workspace = lists = numbers = None
        if self._forward.spec.lse:
            lse = torch.empty_like(self._rows)
            arguments.lse = lse.data_ptr()
        if values:
            numbers = taken.captures.fill(values)
            if not self._checks_each:
                self._bounds.check(taken.captures, numbers)
        if sequences is not None:
            taken.fill_sequences(sequences)
            if self._checks_each:
                self._check_sequences(taken, sequences)
        if self._device is not None:
            arguments.stream = stream_of(self._device)
        if self._workspace_bytes:
            workspace = torch.empty(self._workspace_bytes, dtype=torch.uint8, device=self._on)
            arguments.workspace, arguments.workspace_bytes = workspace.data_ptr(), self._workspace_bytes
        if self._finder:
            given = (self._sizes, taken.captures, values, numbers, arguments.stream, of_mask)
            lists = self._finder.lists(*given)
            arguments.tiles = lists.handle._as_parameter_
        status = self._run(self._handle, taken.reference)
        if status:
            check_status(status)
        self._waiting.append(taken)
        return out, lse

    def _check_sequences(self, taken, sequences):
        """Bounds, by the lengths that starts on the CPU say."""
        starts = {"query_starts": sequences.query_starts, "key_starts": sequences.key_starts}
        sizes = problem_sizes(taken.tensors[:3], pages=sequences.pages, **starts)
        Bounds(self._forward.mod, sizes).check(taken.captures, ())
