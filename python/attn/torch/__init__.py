"""attn for PyTorch: FlexAttention's functions, on our kernels, with gradients, on CPUs and GPUs (docs/Python.md).

    from attn.torch import create_block_mask, flex_attention

instead of `from torch.nn.attention.flex_attention import ...`; the same names are in `attn` itself, where torch is
imported when one of them is first used.
"""

from .block_mask import BlockMask, and_masks, create_block_mask, noop_mask, or_masks
from .flex import AuxOutput, AuxRequest, flex_attention, prepare
from .redirect import install, uninstall

__all__ = [
    "AuxOutput",
    "AuxRequest",
    "BlockMask",
    "and_masks",
    "create_block_mask",
    "flex_attention",
    "install",
    "noop_mask",
    "or_masks",
    "prepare",
    "uninstall",
]
