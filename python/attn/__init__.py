"""attn: attention programs, compiled."""

from ._arrays import BFloat16, bfloat16
from ._library import Error, use_cache, use_no_cache, version
from ._attention import attention, attention_vjp
from .gradient import Gradient, Gradients
from .kernel import Kernel, Spec, Tiles
from .mod import CaptureInfo, Mod, Sizes
from .recorder import *  # noqa: F403
