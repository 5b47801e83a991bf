"""libattn.so: where it is, and how its calls fail."""

import ctypes
import os
import threading

from . import _c

_lock = threading.Lock()
_library = None


class Error(RuntimeError, ValueError):
    """What attn cannot do, in the library's words: diagnostics of a mod begin with `file:line:col: error:`.

    Both of its bases, since torch's flex_attention raises one or the other, and programs catch these.
    """


def library():
    """The library with its prototypes, loaded at the first call: ATTN_LIBRARY, else beside this package, else as the
    loader finds it. It stays loaded.

    Raises Error: none is found, or one with another binary interface.
    """
    global _library
    if _library is None:
        with _lock:
            _library = _library or _load()
    return _library


def _load():
    beside = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libattn.so")
    path = os.environ.get("ATTN_LIBRARY") or (beside if os.path.exists(beside) else f"libattn.so.{_c.ABI_VERSION}")
    try:
        # Local: no symbol of it is seen by other libraries.
        loaded = ctypes.CDLL(path, mode=os.RTLD_NOW | os.RTLD_LOCAL)
    except OSError as error:
        message = f"expects libattn.so, got: {error}. ATTN_LIBRARY=/path/libattn.so names it (docs/Python.md)"
        raise Error(message) from None
    if not hasattr(loaded, "attn_abi_version"):
        raise Error(f"expects libattn.so, got a library without attn_abi_version: {path}")
    version = loaded.attn_abi_version()
    if version != _c.ABI_VERSION:
        raise Error(f"expects libattn.so with binary interface {_c.ABI_VERSION}, got {version}: {path}")
    return _c.declare(loaded)


def check(status):
    """Raises Error, with the library's text, for what is not ATTN_OK."""
    if status:
        raise Error(library().attn_error_text().decode(errors="replace"))


class Handle:
    """An object of the library, which it is passed as; released with this one."""

    __slots__ = ("_as_parameter_", "_release")

    def __init__(self, kind, make, *arguments):
        """Of `make(*arguments, &object)`; `kind` as in attn_KIND_release."""
        # Kept, since modules may be gone when the last objects are.
        self._as_parameter_, self._release = None, getattr(library(), f"attn_{kind}_release")
        made = ctypes.c_void_p()
        check(make(*arguments, ctypes.byref(made)))
        self._as_parameter_ = made

    @property
    def is_released(self):
        """Of a handle that is kept while garbage is collected, which it was part of."""
        return not self._as_parameter_

    def __del__(self):
        if getattr(self, "_as_parameter_", None):
            self._release(self._as_parameter_)
            self._as_parameter_ = None


def version():
    """The library's version, such as "0.1.0"."""
    return library().attn_version().decode()


def use_cache(directory=None):
    """Kernels compiled from now on come from the cache in `directory`, or go there; None: the user's
    (docs/Cache.md)."""
    library().attn_use_cache(None if directory is None else os.fsencode(directory))


def use_no_cache():
    """Kernels compiled from now on come from no cache."""
    library().attn_use_no_cache()
