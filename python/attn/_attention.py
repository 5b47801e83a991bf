"""Attention in one call: programs are recorded, kernels compiled when they are first needed, and kept."""

import functools
import threading

from . import _arrays
from ._launches import Launch
from ._layouts import layout_of
from ._library import Error
from ._recordings import Program, recorded
from .gradient import Gradient
from .kernel import Kernel, Spec
from .mod import Mod

# The kernels of one process are few; a mod's are dropped after those of this many others were used.
_KEPT = 256
_PLAIN = Program("attn.mod @plain", ())
_lock = threading.Lock()
_launches = {}  # by program, kinds of positions, scale, whether there is an LSE, and layouts


def attention(
    query,
    key,
    value,
    score_mod=None,
    mask_mod=None,
    *,
    mod=None,
    captures=None,
    scale=None,
    return_lse=False,
    query_offset=None,
    lengths=None,
    query_starts=None,
    key_starts=None,
    pages=None,
    out=None,
):
    """Attention of arrays of numpy, or tensors of torch: out, or (out, lse) with `return_lse`.

    `score_mod(score, b, h, q, kv)` and `mask_mod(b, h, q, kv)` are Python functions (docs/PythonMods.md), or `mod` is
    a Mod with `captures`; without any, plain attention. query: (batch, heads, queries, head_dim); key and value:
    (batch, kv_heads, keys, head_dim and value_dim). The rest is as for calls of Kernel, with one difference: a mod
    need not have the `query_offset` or `lengths` that are given.

    A kernel is compiled at the first call with a mod's text, an element type, channels and a scale. Raises Error, and
    RecordError for a function that cannot be recorded.
    """
    if mod is captures is query_starts is key_starts is pages is out is None:
        operands, program, values = (query, key, value), _PLAIN, ()
        if score_mod is not None or mask_mod is not None:
            program, values = recorded(score_mod, mask_mod)
        kinds = _kind_of(query_offset), lengths is not None
        if kinds != (None, False):  # they come behind what programs capture
            values = (*values, *(x for x in (query_offset, lengths) if x is not None))
        launch = _launch_of(program, kinds, operands, values, scale, bool(return_lse))
        if launch is not None:
            return launch(operands, values)
    mod, values = _mod_of(score_mod, mask_mod, mod, query_offset, lengths)
    spec = _spec_of(query, value, scale)._replace(
        lse=bool(return_lse),
        ragged_queries=query_starts is not None,
        ragged_keys=key_starts is not None,
        paged=pages is not None,
    )
    return _compiled(_kernel, mod, spec)(
        query,
        key,
        value,
        captures={**values, **(captures or {})},
        query_offset=query_offset,
        lengths=lengths,
        query_starts=query_starts,
        key_starts=key_starts,
        pages=pages,
        out=out,
    )


def attention_vjp(
    query,
    key,
    value,
    score_mod=None,
    mask_mod=None,
    *,
    mod=None,
    captures=None,
    wrt=(),
    scale=None,
    return_lse=False,
    deterministic=False,
    query_offset=None,
    lengths=None,
):
    """(result, backward): the result of attention(), and what makes gradients of it.

    `backward(grad_out, grad_lse=None)` is Gradients(query, key, value, captures) of the product of results and their
    gradients; `grad_lse` with `return_lse` alone. `wrt`: the names of captured floats whose gradients are asked for.
    It reads operands and captures again, which must not have changed.
    """
    mod, values = _mod_of(score_mod, mask_mod, mod, query_offset, lengths)
    spec = _spec_of(query, value, scale)
    given = {"captures": {**values, **(captures or {})}, "query_offset": query_offset, "lengths": lengths}
    out, lse = _compiled(_kernel, mod, spec._replace(lse=True))(query, key, value, **given)
    of_gradient = spec._replace(lse=bool(return_lse), deterministic=bool(deterministic))

    def backward(grad_out, grad_lse=None):
        gradient = _compiled(_gradient, mod, of_gradient, tuple(wrt))
        return gradient(query, key, value, out, lse, grad_out, grad_lse, **given)

    return ((out, lse) if return_lse else out), backward


def _kind_of(query_offset):
    """None: there is none; else whether there is one for each batch."""
    return None if query_offset is None else getattr(query_offset, "shape", ()) != ()


def _launch_of(program, kinds, operands, values, scale, lse):
    """The Launch of such a call: of arrays on the CPU whose gradients nobody asks for. None: Kernel makes it, or says
    why not. `kinds`: as for _with()."""
    layouts = tuple([layout_of(x) for x in (*operands, *values)])
    key = (program, kinds, scale, lse, layouts)
    launch = _launches.get(key)
    if launch is None:
        spec = _spec_of(operands[0], operands[2], scale)._replace(lse=lse)
        if spec.device is not None:
            return None
        with _lock:
            mod = _with(_mod(program), *kinds)
        kernel = _compiled(_kernel, mod, spec)
        try:
            launch = Launch(kernel, operands, values)
        except Error:
            return None
        if len(_launches) >= _KEPT:
            _launches.clear()
        _launches[key] = launch
    return None if launch.loses_gradients(operands, values) else launch


def _mod_of(score_mod, mask_mod, mod, query_offset, lengths):
    """The mod, with what it needs for these arguments, and the values that functions capture."""
    functions = score_mod is not None or mask_mod is not None
    if mod is not None and functions:
        raise Error("expects a mod or functions, got both")
    program, values = _PLAIN, {}
    if functions:
        program, values = recorded(score_mod, mask_mod)
        values = {c.name: value for c, value in zip(program.captures, values)}
    # The same mod for all threads, since kernels are kept by it.
    with _lock:
        mod = _mod(program) if mod is None else mod
        return _with(mod, _kind_of(query_offset), lengths is not None), values


def _spec_of(query, value, scale):
    """Of operands; that their shapes suit each other the kernel says."""
    memory = _arrays.memory_of(query, "query")
    operands = ((query, "query"), (value, "value"))
    head_dim, value_dim = (_arrays.tensor(x, name, device=memory.device).sizes[3] for x, name in operands)
    scale = None if scale is None else float(scale)
    return Spec(head_dim, value_dim, memory.type, scale, device=memory.device)


def _compiled(kept, *key):
    """What is kept by that key; the first thread that asks for it compiles it, outside of the lock."""
    with _lock:
        once = kept(*key)
    return once.get()


class _Once:
    """What `make` makes, once, though threads ask for it at the same time."""

    def __init__(self, make):
        self._make, self._made, self._lock = make, None, threading.Lock()

    def get(self):
        if self._made is None:
            with self._lock:
                self._made = self._made or self._make()
        return self._made


@functools.lru_cache(_KEPT)
def _mod(program):
    return Mod.from_source(program.text, "recorded")


@functools.lru_cache(_KEPT)
def _with(mod, offset_per_batch, has_lengths):
    """`mod` with an offset (None: none) and lengths, where it has none."""
    if offset_per_batch is not None and not any(c.is_query_offset for c in mod.captures):
        mod = mod.with_query_offset(offset_per_batch)
    return mod.with_lengths() if has_lengths and not any(c.is_lengths for c in mod.captures) else mod


@functools.lru_cache(_KEPT)
def _kernel(mod, spec):
    return _Once(lambda: Kernel(mod, spec))


@functools.lru_cache(_KEPT)
def _gradient(mod, spec, wrt):
    return _Once(lambda: Gradient(mod, spec, wrt))
