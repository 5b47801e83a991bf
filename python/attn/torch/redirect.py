"""torch's own names, redirected: programs that call torch.nn.attention.flex_attention run on our kernels."""

import threading

from torch.nn.attention import flex_attention as _of_torch

from . import block_mask, flex

_lock = threading.Lock()
_replaced = {}


def install():
    """From now on torch.nn.attention.flex_attention.flex_attention and create_block_mask are ours, where they are
    looked up there; code that imported the functions before keeps torch's. uninstall() undoes it; twice is as once.
    """
    with _lock:
        if not _replaced:
            for name, ours in (
                ("flex_attention", flex.flex_attention),
                ("create_block_mask", block_mask.create_block_mask),
            ):
                _replaced[name] = getattr(_of_torch, name)
                setattr(_of_torch, name, ours)


def uninstall():
    """torch's functions are its own again."""
    with _lock:
        while _replaced:
            name, of_torch = _replaced.popitem()
            setattr(_of_torch, name, of_torch)
