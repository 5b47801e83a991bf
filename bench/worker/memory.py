"""Opens the tensors of attn-bench in this process, without a copy.

CPU: a file of shared memory, mapped. CUDA: an IPC handle of the driver. Each
allocation is opened once and stays open until close().
"""

import ctypes
import mmap
import os

import driver

DTYPES = {
    "f32": "float32",
    "f16": "float16",
    "bf16": "bfloat16",
    "i64": "int64",
    "i32": "int32",
    "i16": "int16",
    "i8": "int8",
    "u8": "uint8",
    "i1": "bool",  # a byte
}


class _DeviceBytes:
    """A range of GPU memory as CUDA's array interface describes it."""

    def __init__(self, address, count):
        self.__cuda_array_interface__ = {
            "shape": (count,),
            "typestr": "|u1",
            "data": (address, False),
            "version": 2,
        }


class _Opened:
    """One allocation, open for as many problems as use it."""

    def __init__(self, flat, address):
        self.flat = flat  # uint8 tensor of all its bytes
        self.address = address  # of an IPC handle, else None
        self.users = 0


_opened = {}  # by handle


class SharedMemory:
    """The allocations that one problem's tensors lie in."""

    def __init__(self):
        self.handles = set()

    def tensor(self, description):
        """A tensor of the given sizes and strides (in elements) over shared bytes."""
        import torch

        memory = description["memory"]
        flat = self._bytes(memory)
        dtype = getattr(torch, DTYPES[description["dtype"]])
        sizes, strides = description["sizes"], description["strides"]
        if 0 in sizes:
            return torch.empty(sizes, dtype=dtype, device=flat.device)
        last = sum((size - 1) * stride for size, stride in zip(sizes, strides))
        width = torch.empty((), dtype=dtype).element_size()
        start = memory["offset"]
        elements = flat[start : start + (last + 1) * width].view(dtype)
        return elements.as_strided(sizes, strides)

    def close(self):
        for handle in self.handles:
            entry = _opened[handle]
            entry.users -= 1
            if entry.users:
                continue
            del _opened[handle]
            if entry.address is not None:
                driver.function("cuIpcCloseMemHandle")(entry.address)
        self.handles.clear()

    def _bytes(self, memory):
        handle = memory["handle"]
        if handle not in _opened:
            opens = {"file": _map_file, "cuda_ipc": _open_ipc}
            _opened[handle] = opens[memory["kind"]](handle, memory["bytes"])
        if handle not in self.handles:
            self.handles.add(handle)
            _opened[handle].users += 1
        return _opened[handle].flat


def _map_file(path, count):
    import torch

    descriptor = os.open(path, os.O_RDWR)
    try:
        mapped = mmap.mmap(descriptor, count)
    finally:
        os.close(descriptor)
    return _Opened(torch.frombuffer(mapped, dtype=torch.uint8), None)


def _open_ipc(handle, count):
    import torch

    torch.cuda.init()
    torch.cuda.current_stream().synchronize()  # makes the context current
    address = ctypes.c_uint64()
    ipc = driver.IpcHandle.from_buffer_copy(bytes.fromhex(handle))
    lazily = 1  # CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS
    driver.function("cuIpcOpenMemHandle_v2")(ctypes.byref(address), ipc, lazily)
    flat = torch.as_tensor(_DeviceBytes(address.value, count), device="cuda")
    return _Opened(flat, address.value)
