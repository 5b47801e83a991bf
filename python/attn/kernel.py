"""Compiled attention kernels."""

import collections
import ctypes
import sys
from typing import NamedTuple, Optional

from . import _arrays, _c
from ._captures import Captured
from ._library import Error, Handle, check, library
from .mod import problem_sizes


class Spec(NamedTuple):
    """What to compile. Lengths, batch, heads and strides are values of run time."""

    head_dim: int  #: 1 to 256
    value_dim: int = 0  #: 0: head_dim
    type: object = "float32"  #: of query, key, value and out: float32, float16, bfloat16, as a name or a dtype
    scale: Optional[float] = None  #: None: 1/sqrt(head_dim)
    lse: bool = False  #: whether the LSE is a result; of gradients, whether its gradient is given
    schedule: str = ""  #: `#attn.schedule<...>`; "": chosen
    deterministic: bool = False  #: gradients with the same bits on every run
    ragged_queries: bool = False  #: sequences of query, out and LSE lie one behind another (query_starts)
    ragged_keys: bool = False  #: those of key and value do (key_starts)
    paged: bool = False  #: key and value are heaps of pages (pages); the mod has lengths
    strided_captures: bool = False  #: one kernel for captured arrays of any innermost stride
    invariant: bool = False  #: a sequence has the same bits whatever else is in the batch
    checked: bool = False  #: a run fails where lengths, starts and pages have no meaning
    shares: int = 0  #: of a kernel of shares, how many; 0: 128, or as many as a GPU runs at once
    device: Optional[int] = None  #: the number of a GPU; None: the CPU

    def to_c(self):
        """Raises Error: an element type that tensors do not have."""
        fields, type_ = self._asdict(), _arrays.type_name(self.type)
        if type_ not in _arrays.OPERAND_TYPES:
            raise Error(f"expects 'type' {', '.join(_arrays.OPERAND_TYPES)}, got {type_}")
        target = _c.CPU if self.device is None else _c.CUDA
        fields.update(type=_arrays.TYPES[type_], target=target, schedule=self.schedule.encode())
        fields["scale"] = None if self.scale is None else ctypes.pointer(ctypes.c_float(self.scale))
        fields["device"] = None if self.device is None else ctypes.pointer(ctypes.c_int32(self.device))
        return _c.Spec(**fields)


class Bounds:
    """The launches of a mod that were found to read captured arrays within their bounds, the last ones."""

    _MOST = 64

    def __init__(self, mod):
        self._mod, self._known = mod, collections.OrderedDict()

    def check(self, sizes, captured):
        """Raises Error where a program reads an array out of bounds, as far as ranges prove it."""
        if not captured.reads_arrays:
            return
        key = (sizes, tuple(captured.key))
        if key not in self._known:
            given = ctypes.byref(sizes.to_c())
            check(library().attn_mod_check(self._mod._handle, given, captured.structures, len(captured)))
            self._known[key] = True
            while len(self._known) > self._MOST:
                self._known.popitem(last=False)


class Tiles:
    """Lists of the tiles that a mask visits: of a kernel, or of gradients."""

    def __init__(self, kind, *make):
        self._kind, self._handle = kind, Handle(kind, *make)

    def pointer(self, kind):
        if self._kind != kind:
            raise Error(f"expects {kind.replace('_', ' ')}, got {self._kind.replace('_', ' ')}")
        return self._handle._as_parameter_


class Kernel:
    """A mod's attention, compiled. Calls may come from any thread, at once too.

    Raises Error: a mod or a spec that cannot be compiled.
    """

    def __init__(self, mod, spec):
        self.mod, self.spec = mod, spec
        self._handle = Handle("kernel", library().attn_kernel_compile, mod._handle, ctypes.byref(spec.to_c()))
        self._bounds = Bounds(mod)

    @staticmethod
    def check(mod, spec):
        """Raises Error where Kernel(mod, spec) would, as far as that is known before code is made."""
        check(library().attn_kernel_check(mod._handle, ctypes.byref(spec.to_c())))

    def __call__(
        self,
        query,
        key,
        value,
        *,
        captures=None,
        query_offset=None,
        lengths=None,
        query_starts=None,
        key_starts=None,
        pages=None,
        out=None,
        lse=None,
        tiles=None,
        workspace=None,
    ):
        """out, or (out, lse) of a spec with `lse`; on the CPU done on return, on all cores, on a GPU enqueued on
        torch's current stream.

        Arrays of numpy, or tensors of torch, on the spec's device, of its type, with any strides but channels of
        stride 1:

        query: (batch, heads, queries, head_dim). key, value: (batch, kv_heads, keys, head_dim and value_dim), where
        heads is a multiple of kv_heads; of a paged spec (pages, kv_heads, rows of a page, ...). captures: by name,
        those that the mod has no values of. query_offset: a number, or int32 (batch,); lengths: int32 (batch,); of a
        mod that has them. query_starts, key_starts: int32 (sequences + 1,), of a ragged spec, whose arrays have a
        batch of 1. pages: int32 (sequences, most pages), of a paged spec.

        out: (batch, heads, queries, value_dim), made if not given. lse: float32 (batch, heads, queries), contiguous,
        the natural logarithm; likewise. tiles: of find_tiles(), for these sizes and captured arrays. workspace: uint8
        of at least workspace_bytes(), aligned to 16 bytes, which nothing else uses meanwhile.

        Raises Error, before anything is written: shapes, types or strides that do not fit; a program that reads a
        captured array out of bounds, as far as ranges prove it.
        """
        arguments = self._arguments(query, key, value, query_starts, key_starts, pages)
        device = self.spec.device
        captured = Captured(self.mod, captures, query_offset, lengths, device)
        operands = [arguments.query[0], arguments.key[0], arguments.value[0]]
        # How long sequences are is not known here where starts are on a GPU.
        if device is None or (query_starts is None and key_starts is None):
            sizes = problem_sizes(operands, query_starts=query_starts, key_starts=key_starts, pages=pages)
            self._bounds.check(sizes, captured)
        arguments.captures, arguments.capture_count = captured.structures, len(captured)
        shape = tuple(query.shape[:3])
        if out is None:
            out = _arrays.empty((*shape, value.shape[3]), query)
        arguments.out = ctypes.pointer(_arrays.tensor(out, "out", True, device))
        if lse is None and self.spec.lse:
            lse = _arrays.empty(shape, query, "float32")
        if lse is not None:
            arguments.lse = _arrays.flat(lse, "lse", "float32", shape, True, device)
        if tiles is not None:
            arguments.tiles = tiles.pointer("tiles")
        arguments.workspace, arguments.workspace_bytes = _arrays.workspace(workspace, device)
        arguments.stream = stream_of(device)
        check(library().attn_kernel_run(self._handle, ctypes.byref(arguments)))
        return (out, lse) if self.spec.lse else out

    def _arguments(self, query, key, value, query_starts, key_starts, pages):
        """Those that are read; they keep what they point to, but for the arrays' memory."""
        arguments, device = _c.Arguments(), self.spec.device
        operands = {"query": query, "key": key, "value": value}
        for name, array in operands.items():
            setattr(arguments, name, ctypes.pointer(_arrays.tensor(array, name, device=device)))
        for name, array in (("query_starts", query_starts), ("key_starts", key_starts)):
            if array is not None:
                setattr(arguments, name, ctypes.pointer(_arrays.starts(array, name, device)))
        if pages is not None:
            arguments.pages = ctypes.pointer(_arrays.pages(pages, device))
        return arguments

    def prepare(self, smallest=None, largest=None):
        """Compiles all that launches of Sizes from `smallest` to `largest` take (None: of `smallest`; both None: of
        any)."""
        check(library().attn_kernel_prepare(self._handle, *size_range(smallest, largest)))

    def workspace_bytes(self, smallest, largest=None):
        """What suffices for all launches of such Sizes; 0: none is needed."""
        count = ctypes.c_int64()
        check(library().attn_kernel_workspace_bytes(self._handle, *size_range(smallest, largest), ctypes.byref(count)))
        return count.value

    @property
    def needs_tiles(self):
        """Whether the tiles to visit come from lists; otherwise the kernel computes them."""
        return bool(library().attn_kernel_needs_tiles(self._handle))

    def find_tiles(self, sizes, captures=None, *, query_offset=None, lengths=None):
        """The lists, good until lengths or a captured array that the mask reads change. A call without them finds
        them for itself.

        Raises Error: a kernel that needs none; a program that reads a captured array out of bounds.
        """
        captured = Captured(self.mod, captures, query_offset, lengths, self.spec.device)
        self._bounds.check(sizes, captured)
        stream = stream_of(self.spec.device)
        given = (ctypes.byref(sizes.to_c()), captured.structures, len(captured), stream, None)
        return Tiles("tiles", library().attn_kernel_find_tiles, self._handle, *given)

    @property
    def compile_seconds(self):
        return library().attn_kernel_compile_seconds(self._handle)

    @property
    def schedule(self):
        """As Spec.schedule."""
        return library().attn_kernel_schedule(self._handle).decode()


def stream_of(device):
    """The CUstream that torch uses now on a GPU; None for the CPU."""
    return None if device is None else sys.modules["torch"].cuda.current_stream(device).cuda_stream


def size_range(smallest, largest):
    """Two Sizes or None as C takes them."""
    return tuple(None if sizes is None else ctypes.byref(sizes.to_c()) for sizes in (smallest, largest))
