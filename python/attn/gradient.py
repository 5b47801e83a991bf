"""Compiled gradients of attention kernels."""

import ctypes
from typing import NamedTuple

from . import _arrays, _c
from ._captures import Captured
from ._library import Error, Handle, check, library
from .kernel import Bounds, Tiles, size_range, stream_of
from .mod import problem_sizes


class Gradients(NamedTuple):
    """Of operands, in their type, and of captured floats by name: float32 of the capture's shape."""

    query: object
    key: object
    value: object
    captures: dict


class Gradient:
    """The gradients of the attention that Kernel(mod, spec) computes. Calls may come from any thread, at once too.

    `wrt`: the names of captured floats whose gradients are asked for. `spec.lse` says that a gradient of the LSE is
    given. Raises Error: a mod or a spec that cannot be compiled, an operation without a derivative, a name in `wrt`
    that no capture of floats has.
    """

    def __init__(self, mod, spec, wrt=()):
        self.mod, self.spec, self.wrt = mod, spec, tuple(wrt)
        names = (ctypes.c_char_p * len(self.wrt))(*(name.encode() for name in self.wrt))
        given = (mod._handle, ctypes.byref(spec.to_c()), names, len(self.wrt))
        self._handle = Handle("gradient", library().attn_gradient_compile, *given)
        self._bounds = Bounds(mod)

    def __call__(
        self,
        query,
        key,
        value,
        out,
        lse,
        grad_out,
        grad_lse=None,
        *,
        captures=None,
        query_offset=None,
        lengths=None,
        grad_query=None,
        grad_key=None,
        grad_value=None,
        grad_captures=None,
        tiles=None,
        workspace=None,
    ):
        """Gradients, from operands and results of the kernel and the gradients of these; done when the kernel's are.

        query, key, value, captures, query_offset, lengths: as they were given to the kernel. out, lse: what it gave,
        of a spec with `lse`. grad_out: of out's shape and type, strides may be 0. grad_lse: float32 (batch, heads,
        queries), contiguous, of a spec with `lse`; None: zeros. grad_query, grad_key, grad_value: memory for results,
        with the shapes of query, key and value; grad_captures: by name, float32, contiguous; made if not given.

        Raises Error, before anything is written: shapes, types or strides that do not fit; a program that reads a
        captured array out of bounds, as far as ranges prove it.
        """
        arguments, device = _c.GradientArguments(), self.spec.device
        read = {"query": query, "key": key, "value": value, "out": out, "grad_out": grad_out}
        for name, array in read.items():
            setattr(arguments, name, ctypes.pointer(_arrays.tensor(array, name, device=device)))
        operands = [arguments.query[0], arguments.key[0], arguments.value[0]]
        captured = Captured(self.mod, captures, query_offset, lengths, self.spec.device)
        self._bounds.check(problem_sizes(operands), captured)
        arguments.captures, arguments.capture_count = captured.structures, len(captured)
        rows = tuple(query.shape[:3])
        arguments.lse = _arrays.flat(lse, "lse", "float32", rows, device=device)
        if grad_lse is None and self.spec.lse:
            grad_lse = _arrays.zeros(rows, query, "float32")
        if grad_lse is not None:
            arguments.grad_lse = _arrays.flat(grad_lse, "grad_lse", "float32", rows, device=device)
        results = {
            name: _arrays.empty(tuple(operand.shape), operand) if given is None else given
            for name, given, operand in (
                ("grad_query", grad_query, query),
                ("grad_key", grad_key, key),
                ("grad_value", grad_value, value),
            )
        }
        for name, array in results.items():
            setattr(arguments, name, ctypes.pointer(_arrays.tensor(array, name, True, device)))
        made = self._of_captures(grad_captures or {}, captured, query, arguments)
        if tiles is not None:
            arguments.tiles = tiles.pointer("gradient_tiles")
        arguments.workspace, arguments.workspace_bytes = _arrays.workspace(workspace, device)
        arguments.stream = stream_of(device)
        check(library().attn_gradient_run(self._handle, ctypes.byref(arguments)))
        return Gradients(*results.values(), made)

    def _of_captures(self, given, captured, like, arguments):
        unknown = given.keys() - self.wrt
        if unknown:
            raise Error(f"expects gradients of captures ({', '.join(self.wrt)}), got '{min(unknown)}'")
        shapes = captured.shapes()
        made = {n: _arrays.empty(shapes[n], like, "float32") if given.get(n) is None else given[n] for n in self.wrt}
        pointers = [
            _arrays.flat(made[n], f"gradient of '{n}'", "float32", shapes[n], True, self.spec.device) for n in self.wrt
        ]
        arguments.grad_captures = (ctypes.c_void_p * len(pointers))(*pointers)
        arguments.grad_capture_count = len(pointers)
        return made

    def prepare(self, smallest=None, largest=None):
        """As Kernel.prepare."""
        check(library().attn_gradient_prepare(self._handle, *size_range(smallest, largest)))

    def workspace_bytes(self, smallest, largest=None, captures=None, *, query_offset=None, lengths=None):
        """What suffices for all runs of Sizes from `smallest` to `largest` (None: of `smallest`). `captures` as at a
        call, with at least as many elements; only gradients of captures need them."""
        structures, size = None, 0
        if self.wrt:
            captured = Captured(self.mod, captures, query_offset, lengths, self.spec.device)
            structures, size = captured.structures, len(captured)
        count = ctypes.c_int64()
        given = (*size_range(smallest, largest), structures, size, ctypes.byref(count))
        check(library().attn_gradient_workspace_bytes(self._handle, *given))
        return count.value

    def find_tiles(self, sizes, captures=None, *, query_offset=None, lengths=None):
        """As Kernel.find_tiles; empty ones where none are needed."""
        captured = Captured(self.mod, captures, query_offset, lengths, self.spec.device)
        self._bounds.check(sizes, captured)
        given = (ctypes.byref(sizes.to_c()), captured.structures, len(captured), stream_of(self.spec.device))
        return Tiles("gradient_tiles", library().attn_gradient_find_tiles, self._handle, *given)

    @property
    def compile_seconds(self):
        return library().attn_gradient_compile_seconds(self._handle)

    @property
    def schedule(self):
        """Of all kernels."""
        return library().attn_gradient_schedule(self._handle).decode()
