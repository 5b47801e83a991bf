"""attn: attention programs, compiled."""

from .recorder import *  # noqa: F403
