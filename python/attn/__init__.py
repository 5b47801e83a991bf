"""attn: attention programs, compiled."""

from ._arrays import BFloat16, bfloat16
from ._library import Error, use_cache, use_no_cache, version
from ._attention import attention, attention_vjp
from .gradient import Gradient, Gradients
from .kernel import Kernel, Spec, Tiles
from .mod import CaptureInfo, Mod, Sizes
from .recorder import *  # noqa: F403
from .show import MaskPicture, show_mask

# What needs torch, which is imported when one of them is first used.
_OF_TORCH = {"flex_attention", "create_block_mask", "BlockMask", "and_masks", "or_masks", "noop_mask"}


def __getattr__(name):
    if name != "torch" and name not in _OF_TORCH:
        raise AttributeError(f"module 'attn' has no attribute '{name}'")
    import importlib

    module = importlib.import_module(".torch", __name__)
    globals().update({wanted: getattr(module, wanted) for wanted in _OF_TORCH})
    return globals()[name]
