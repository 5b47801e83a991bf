"""A GPU of the host's for attn.torch: the tests' driver, which runs the kernels, and tensors of the CPU in its memory.

What torch does on a GPU is done on the CPU: streams are the driver's, memory is a piece that the driver gave. So what
attn.torch tells the library of a GPU is tested where there is none.
"""

import contextlib
import ctypes
import math

import attn.torch
import torch
from attn import _arrays
from attn.torch import _backward, _forward, _plans, _tiles

_BYTES = 16 << 20


class _Torch:
    """The module torch, but for memory."""

    def __init__(self, gpu):
        self._gpu = gpu

    def __getattr__(self, name):
        return getattr(torch, name)

    def empty(self, shape, dtype, device):
        return self._gpu.empty((shape,) if isinstance(shape, int) else shape, dtype)

    def empty_strided(self, shape, strides, dtype, device):
        elements = 1 + sum((n - 1) * s for n, s in zip(shape, strides)) if math.prod(shape) else 0
        return self._gpu.empty((elements,), dtype).as_strided(shape, strides)

    def empty_like(self, x):
        return self.empty_strided(x.shape, torch.empty_like(x).stride(), x.dtype, None)


class FakeGPU:
    """The GPU 0, on which attn.torch runs all tensors from now on. `library`: the tests' libFakeGPU.so."""

    def __init__(self, library):
        # Behind torch, whose cuBLAS it has one in place of, and before attn's first use of a driver.
        ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)
        self.driver = ctypes.CDLL("libcuda.so.1")
        self.call("cuInit", 0)
        context = ctypes.c_void_p()
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), 0)
        self.call("cuCtxSetCurrent", context)
        self._next, address = 0, ctypes.c_void_p()
        self.call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(_BYTES))
        self._memory = torch.frombuffer((ctypes.c_uint8 * _BYTES).from_address(address.value), dtype=torch.uint8)
        self.current, self.of_thread = ctypes.c_void_p(), ctypes.c_void_p(2)  # the driver's name of a stream
        self.call("cuStreamCreate", ctypes.byref(self.current), 1)
        self._replace()

    def call(self, name, *arguments):
        status = getattr(self.driver, name)(*arguments)
        if status:
            raise RuntimeError(f"{name}: {status}")

    def _replace(self):
        of_torch = _arrays._of_torch
        _arrays._of_torch = lambda tensor, name: of_torch(tensor, name)._replace(device=0)
        _plans.Spec = lambda *given, **named: attn.Spec(*given, **{**named, "device": 0})
        for module in (_forward, _backward):
            module.torch = _Torch(self)
            module.stream_of = lambda device: self.current.value
        for module in (_plans, _tiles):
            module.is_capturing = lambda device: self.is_capturing()

    def empty(self, shape, dtype):
        size = math.prod(shape) * dtype.itemsize
        begin = self._next
        self._next += (size + 255) // 256 * 256
        assert self._next <= _BYTES
        return self._memory[begin : begin + size].view(dtype).reshape(tuple(shape))

    def copy(self, x):
        """The tensor in memory of the GPU."""
        made = self.empty(x.shape, x.dtype)
        made.copy_(x)
        return made

    def is_capturing(self):
        status = ctypes.c_int()
        self.call("cuStreamIsCapturing", self.current, ctypes.byref(status))
        return status.value == 1

    @contextlib.contextmanager
    def graph(self):
        """What is enqueued inside becomes a graph; gives a function that runs it."""
        made, run = ctypes.c_void_p(), ctypes.c_void_p()
        self.call("cuStreamBeginCapture_v2", self.current, 0)
        try:
            yield lambda: self.call("cuGraphLaunch", run, self.current)
        finally:
            self.call("cuStreamEndCapture", self.current, ctypes.byref(made))
        self.call("cuGraphInstantiateWithFlags", ctypes.byref(run), made, ctypes.c_ulonglong(0))
