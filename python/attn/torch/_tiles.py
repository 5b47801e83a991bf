"""Lists of tiles between launches: who keeps them how long, and whose memory the next ones overwrite.

Lists stay as long as the arrays and numbers that a mod captures do. A block mask keeps those of its launches
(ListsOfMask); without one the kernel keeps the last ones. Memory of lists that nothing keeps any more is reused on the
stream on which they were found, so steady calls allocate nothing.

In a stream capture lists are found in the graph, so that replays see what tables say then; their memory was of
earlier launches of the same sizes, and belongs to graphs from then on.
"""

import ctypes
import weakref

import torch

from .._library import Error, Handle, library
from ._cuda import UNPREPARED, is_capturing

_MOST_KEPT = 64


class _Lists:
    """Lists that go back to the pool when nothing uses them any more."""

    __slots__ = ("handle", "sizes", "_pool")

    def __init__(self, handle, sizes, pool):
        self.handle, self.sizes, self._pool = handle, sizes, pool

    def __del__(self):
        if self._pool is not None:
            self._pool.append((self.sizes, self.handle))


class ListsOfMask:
    """What a block mask keeps: lists by kernel, sizes and stream, while what they were found from is the same."""

    def __init__(self):
        self._kept = {}
        #: The plan of the last call, which found that the mask is one for it.
        self.fits = None

    def get(self, key, state):
        kept = self._kept.get(key)
        return kept[1] if kept and _same(kept[0], state) else None

    def put(self, key, state, lists):
        if None not in state[1]:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = (_weak(state), lists)

    def __reduce__(self):
        return ListsOfMask, ()  # of a copy, or of another process

    def take(self, key):
        """Lists of that key, whatever they were found from, which are kept no longer."""
        kept = self._kept.pop(key, None)
        return kept[1] if kept else None


def _next_of(pool):
    """The memory of lists that nothing uses, or None. Where a mask was part of a cycle, its handles are released by the
    same collection in which its lists come here."""
    while True:
        try:
            handle = pool.pop()[1]
        except IndexError:
            return None
        if not handle.is_released:
            return handle


def _version_of(tensor):
    """How often it was written to; None: nobody counts."""
    return None if tensor.is_inference() else tensor._version


def state_of(values, numbers):
    """What lists are found from: (tensors, their versions, numbers)."""
    tensors = [x for x in values if isinstance(x, torch.Tensor)]
    return tensors, tuple([_version_of(x) for x in tensors]), numbers


def _weak(state):
    return [weakref.ref(x) for x in state[0]], state[1], state[2]


def _same(kept, state):
    same = len(kept[0]) == len(state[0]) and kept[1:] == state[1:]
    return same and all(ref() is x for ref, x in zip(kept[0], state[0]))


class Finder:
    """The lists of one kernel, or of one kernel's gradients."""

    def __init__(self, compiled, kind, device):
        """`kind`: "kernel" or "gradient"; only lists of a kernel can take the memory of others."""
        self._compiled, self._kind, self._device = compiled, kind, device
        self._release = "tiles" if kind == "kernel" else "gradient_tiles"
        self._find = getattr(library(), f"attn_{kind}_find_tiles")
        self._pools, self._of_graphs, self._own = {}, {}, ListsOfMask()

    def lists(self, sizes, captures, values, numbers, stream, of_mask):
        """The lists of a launch, to be held until it is enqueued. `of_mask`: a ListsOfMask or None."""
        key = (self, sizes, stream)
        of_mask = of_mask or self._own
        if is_capturing(self._device):
            return self._in_graph(key, sizes, captures, values, numbers, stream, of_mask)
        state = state_of(values, numbers)
        lists = of_mask.get(key, state)
        if lists is None:
            lists = self._found(sizes, captures, stream)
            of_mask.put(key, state, lists)
        return lists

    def _found(self, sizes, captures, stream):
        pool, reuse = None, None
        if self._kind == "kernel":
            pool = self._pools.setdefault(stream, [])
            reuse = _next_of(pool)
        return _Lists(self._call(sizes, captures, stream, reuse), sizes, pool)

    def _call(self, sizes, captures, stream, reuse):
        given = (ctypes.byref(sizes.to_c()), captures.structures, captures.count, stream)
        if self._kind == "kernel":
            given += (reuse,)
        return Handle(self._release, self._find, self._compiled._handle, *given)

    def _in_graph(self, key, sizes, captures, values, numbers, stream, of_mask):
        if self._kind == "gradient":
            return self._kept_for_graph(sizes, values, numbers, of_mask)
        memory = self._of_graphs.get(sizes) or self._memory_for_graph(sizes, of_mask)
        if memory is None:
            raise Error(UNPREPARED)
        self._of_graphs[sizes] = self._call(sizes, captures, stream, memory)
        return _Lists(self._of_graphs[sizes], sizes, None)

    def _memory_for_graph(self, sizes, of_mask):
        """Of lists of the same sizes, which nothing else overwrites then."""
        for pool in self._pools.values():
            for entry in list(pool):
                if entry[0] == sizes and not entry[1].is_released:
                    pool.remove(entry)
                    return entry[1]
        for key in list(of_mask._kept):
            if key[:2] == (self, sizes):
                lists = of_mask.take(key)
                lists._pool = None
                return lists.handle
        return None

    def _kept_for_graph(self, sizes, values, numbers, of_mask):
        """Those that the mask has."""
        state = state_of(values, numbers)
        for key in list(of_mask._kept):
            lists = of_mask.get(key, state) if key[:2] == (self, sizes) else None
            if lists:
                return lists
        return None  # of which the library says whether it can do without
