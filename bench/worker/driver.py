"""The CUDA driver, called directly: what PyTorch has no function for, and what has to
be the very call that attn-bench makes in its own process."""

import ctypes
import functools

_U64, _UINT, _POINTER = ctypes.c_uint64, ctypes.c_uint, ctypes.c_void_p


class IpcHandle(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_ubyte * 64)]


# By the name that the driver exports; all return a status.
_FUNCTIONS = {
    "cuMemAlloc_v2": [_POINTER, ctypes.c_size_t],
    "cuMemsetD8Async": [_U64, ctypes.c_ubyte, ctypes.c_size_t, _POINTER],
    "cuModuleLoadDataEx": [_POINTER, ctypes.c_char_p, _UINT, _POINTER, _POINTER],
    "cuModuleGetFunction": [_POINTER, _POINTER, ctypes.c_char_p],
    "cuLaunchKernel": [_POINTER] + [_UINT] * 7 + [_POINTER] * 3,
    "cuStreamSynchronize": [_POINTER],
    "cuEventCreate": [_POINTER, _UINT],
    "cuEventRecord": [_POINTER, _POINTER],
    "cuEventElapsedTime": [_POINTER, _POINTER, _POINTER],
    "cuIpcOpenMemHandle_v2": [_POINTER, IpcHandle, _UINT],
    "cuIpcCloseMemHandle": [_U64],
}


@functools.cache
def _library():
    return ctypes.CDLL("libcuda.so.1")


@functools.cache
def function(name):
    """Raises RuntimeError where a call of it fails."""
    library = _library()
    entry = getattr(library, name)
    entry.argtypes = _FUNCTIONS[name]

    def call(*arguments):
        status = entry(*arguments)
        if status == 0:
            return
        text = ctypes.c_char_p()
        library.cuGetErrorString(status, ctypes.byref(text))
        message = text.value.decode() if text.value else f"error {status}"
        raise RuntimeError(f"{name.split('_')[0]}: {message}")

    return call


def allocate(count):
    """The address of so many bytes, which stay for good."""
    address = _U64()
    function("cuMemAlloc_v2")(ctypes.byref(address), count)
    return address.value


class Event:
    def __init__(self):
        self.handle = _POINTER()
        function("cuEventCreate")(ctypes.byref(self.handle), 0)

    def record(self, stream):
        function("cuEventRecord")(self.handle, stream)

    def seconds_until(self, later):
        milliseconds = ctypes.c_float()
        elapsed = function("cuEventElapsedTime")
        elapsed(ctypes.byref(milliseconds), self.handle, later.handle)
        return milliseconds.value * 1e-3


@functools.cache
def _module(ptx):
    module = _POINTER()
    load = function("cuModuleLoadDataEx")
    load(ctypes.byref(module), ptx.encode(), 0, None, None)
    return module


class Kernel:
    """One kernel of a PTX text, whose parameters are all 64 bits wide."""

    def __init__(self, ptx, name, parameter_count):
        self.handle = _POINTER()
        get = function("cuModuleGetFunction")
        get(ctypes.byref(self.handle), _module(ptx), name.encode())
        self.values = [_U64() for _ in range(parameter_count)]
        places = [ctypes.addressof(value) for value in self.values]
        self.parameters = (_POINTER * parameter_count)(*places)

    def launch(self, blocks, threads, stream, *values):
        for place, value in zip(self.values, values):
            place.value = value
        shape = (blocks, 1, 1, threads, 1, 1, 0)
        function("cuLaunchKernel")(self.handle, *shape, stream, self.parameters, None)


def fill(address, byte, count, stream):
    function("cuMemsetD8Async")(address, byte, count, stream)


def synchronize(stream):
    function("cuStreamSynchronize")(stream)
