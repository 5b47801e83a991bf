"""What a launch asks of torch about a GPU."""

import torch

UNPREPARED = (
    "expects a call with such tensors and functions, or attn.torch.prepare, before a stream capture: nothing is "
    "compiled in one, and memory for lists of tiles is not allocated"
)
# The public way makes an object of the stream first, which costs as much as a launch.
_raw_stream = getattr(torch._C, "_cuda_getCurrentRawStream", None)


def stream_of(device):
    """The CUstream that torch uses now on the GPU of that number; None for the CPU."""
    if device is None:
        return None
    return _raw_stream(device) if _raw_stream else torch.cuda.current_stream(device).cuda_stream


def is_capturing(device):
    """Whether what is enqueued on that device now becomes a graph."""
    return device is not None and torch.cuda.is_current_stream_capturing()
