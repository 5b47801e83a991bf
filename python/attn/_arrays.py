"""Arrays of numpy, tensors of torch, and what has numpy's `__array_interface__`, as memory.

Neither library is imported here: who passes an array has it. Nothing is copied.
"""

import ctypes
import math
import sys
from typing import NamedTuple, Optional

from . import _c
from ._library import Error

TYPES = {
    "float32": _c.F32,
    "float16": _c.F16,
    "bfloat16": _c.BF16,
    "float64": _c.F64,
    "int32": _c.I32,
    "int64": _c.I64,
    "int16": _c.I16,
    "int8": _c.I8,
    "uint8": _c.U8,
    "bool": _c.BOOL,
}
OPERAND_TYPES = ("float32", "float16", "bfloat16")
_TYPESTRINGS = {"<f4": "float32", "<f2": "float16", "<f8": "float64", "<i4": "int32", "<i8": "int64", "<i2": "int16"}
_TYPESTRINGS.update({"|i1": "int8", "|u1": "uint8", "|b1": "bool", "<u2": "uint16"})


class BFloat16:
    """An array of bfloat16: `array`, of uint16, has the bits. numpy has no such type of its own."""

    __slots__ = ("array",)

    def __init__(self, array):
        type_ = memory_of(array, "array").type
        if type_ != "uint16":
            raise Error(f"expects an array of uint16 for attn.bfloat16, got {type_}")
        self.array = array

    @property
    def shape(self):
        return self.array.shape

    dtype = "bfloat16"


def bfloat16(array):
    """An array of uint16 as the bits of bfloat16, for operands, results and captures; not a copy."""
    return BFloat16(array)


class Memory(NamedTuple):
    """Where an array is. Strides are in elements."""

    pointer: int
    type: str
    shape: tuple
    strides: tuple
    writable: bool
    device: Optional[int] = None  #: the number of a GPU; None: the CPU


def type_name(x):
    """The name of an element type that is a string, numpy's or torch's."""
    if isinstance(x, str):
        return x
    return getattr(x, "name", None) or getattr(x, "__name__", None) or str(x).rpartition(".")[2]


def typestring(type_):
    """numpy's for that type, of whose own there is none for bfloat16."""
    return next((string for string, name in _TYPESTRINGS.items() if name == type_), "<V2")


def memory_of(array, name):
    """Raises Error: no array, one that is neither on the CPU nor on a GPU, one of another byte order."""
    if type(array) is BFloat16:
        return memory_of(array.array, name)._replace(type="bfloat16")
    if hasattr(array, "data_ptr"):
        return _of_torch(array, name)
    interface = getattr(array, "__array_interface__", None)
    if interface is None:
        raise Error(f"expects '{name}' to be an array of numpy or a tensor of torch, got '{type(array).__name__}'")
    string, shape, strides = interface["typestr"], interface["shape"], interface.get("strides")
    if string[0] == ">":
        raise Error(f"expects '{name}' in this machine's byte order, got '{string}'")
    pointer, read_only = interface["data"]
    type_ = _TYPESTRINGS.get(string) or type_name(getattr(array, "dtype", string))
    if type_ not in TYPES and type_ != "uint16":
        return Memory(pointer, type_, shape, contiguous_strides(shape), False)  # for who says what was expected
    bytes_ = int(string[2:])
    if strides is None:
        strides = contiguous_strides(shape)
    elif any(stride % bytes_ for stride in strides):
        raise Error(f"expects '{name}' with strides of whole elements, got {strides} bytes of {bytes_} each")
    else:
        strides = tuple(stride // bytes_ for stride in strides)
    if pointer % bytes_:
        raise Error(f"expects '{name}' aligned to its elements of {bytes_} bytes, got address {pointer:#x}")
    return Memory(pointer, type_, shape, strides, not read_only)


def _of_torch(tensor, name):
    device = tensor.device
    if device.type not in ("cpu", "cuda"):
        raise Error(f"expects '{name}' on the CPU or a GPU of CUDA, got a tensor on '{device}'")
    if tensor.requires_grad and sys.modules["torch"].is_grad_enabled():
        raise Error(
            f"expects '{name}' without requires_grad, or torch.no_grad(): attn.flex_attention has torch's autograd, "
            "attn.attention_vjp the gradients alone"
        )
    number = device.index if device.type == "cuda" else None
    return Memory(tensor.data_ptr(), type_name(tensor.dtype), tuple(tensor.shape), tensor.stride(), True, number)


def device_name(number):
    return "the CPU" if number is None else f"cuda:{number}"


def memory_on(array, name, device):
    """memory_of() an array on that device: the number of a GPU, or None. Raises Error: it is on another one."""
    memory = memory_of(array, name)
    if memory.device != device:
        raise Error(f"expects '{name}' on {device_name(device)}, got it on {device_name(memory.device)}")
    return memory


def contiguous_strides(shape):
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def _is_contiguous(memory):
    """Strides of dimensions of one element have no meaning, nor have those of no elements."""
    expected = contiguous_strides(memory.shape)
    same = (n == 1 or s == e for n, s, e in zip(memory.shape, memory.strides, expected))
    return 0 in memory.shape or all(same)


def tensor(array, name, written=False, device=None):
    """A _c.Tensor of an operand: (batch, heads, positions, channels), the last with stride 1."""
    memory = memory_on(array, name, device)
    if memory.type not in OPERAND_TYPES:
        hint = ": attn.bfloat16(x) takes its bits as bfloat16" if memory.type == "uint16" else ""
        raise Error(f"expects '{name}' of {', '.join(OPERAND_TYPES)}, got {memory.type}{hint}")
    if len(memory.shape) != 4:
        raise Error(f"expects '{name}' of shape (batch, heads, positions, channels), got {memory.shape}")
    if memory.strides[3] != 1 and memory.shape[3] > 1 and 0 not in memory.shape:
        raise Error(f"expects '{name}' with channels of stride 1, got {memory.strides[3]}")
    _check_written(memory, name, written)
    return _c.Tensor(data=memory.pointer, type=TYPES[memory.type], sizes=memory.shape, strides=memory.strides[:3])


def _check_written(memory, name, written):
    if written and not memory.writable:
        raise Error(f"expects '{name}' that can be written, got a read-only array")


def flat(array, name, type_, shape, written=False, device=None):
    """The address of contiguous memory of a type and shape; of `shape` None any."""
    memory = memory_on(array, name, device)
    if memory.type != type_:
        raise Error(f"expects '{name}' of {type_}, got {memory.type}")
    if shape is not None and tuple(memory.shape) != tuple(shape):
        raise Error(f"expects '{name}' of shape {tuple(shape)}, got {tuple(memory.shape)}")
    if not _is_contiguous(memory):
        raise Error(f"expects '{name}' to be contiguous, got strides {memory.strides}")
    _check_written(memory, name, written)
    return memory.pointer


def workspace(array, device=None):
    """(address, bytes) of memory that a run may use, both 0 for None."""
    if array is None:
        return 0, 0
    memory = memory_on(array, "workspace", device)
    if not _is_contiguous(memory):
        raise Error(f"expects 'workspace' to be contiguous, got strides {memory.strides}")
    _check_written(memory, "workspace", True)
    if memory.pointer % 16:
        raise Error(f"expects 'workspace' aligned to 16 bytes, got address {memory.pointer:#x}")
    if memory.type != "uint8":
        raise Error(f"expects 'workspace' of uint8, got {memory.type}")
    return memory.pointer, math.prod(memory.shape)


def starts(array, name, device=None):
    """A _c.Starts of sequences + 1 positions."""
    memory = memory_of(array, name)
    if len(memory.shape) != 1 or memory.shape[0] < 1:
        raise Error(f"expects '{name}' of shape (sequences + 1,), got {memory.shape}")
    return _c.Starts(starts=flat(array, name, "int32", None, device=device), sequences=memory.shape[0] - 1)


def pages(array, device=None):
    """A _c.Capture of a page table: (sequences, most pages)."""
    memory = memory_on(array, "pages", device)
    if memory.type not in TYPES or len(memory.shape) != 2:
        raise Error(f"expects 'pages' of int32 and shape (sequences, most pages), got {memory.type} {memory.shape}")
    sizes, strides = ((ctypes.c_int64 * 2)(*x) for x in (memory.shape, memory.strides))
    return _c.Capture(data=memory.pointer, type=TYPES[memory.type], rank=2, sizes=sizes, strides=strides)


def int32_values(array):
    """The elements of contiguous int32 memory, as a ctypes array."""
    memory = memory_of(array, "array")
    return (ctypes.c_int32 * memory.shape[0]).from_address(memory.pointer)


def empty(shape, like, type_=None):
    """An array of `like`'s library, not filled, with the strides of contiguous memory; of its type, or of `type_`."""
    if type(like) is BFloat16:
        made = empty(shape, like.array, type_)
        return made if type_ else BFloat16(made)
    if hasattr(like, "data_ptr"):
        return like.new_empty(shape, dtype=getattr(sys.modules["torch"], type_) if type_ else None)
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(like, numpy.ndarray):
        kind = type(like).__name__
        raise Error(f"expects memory for what is computed from a '{kind}', which is not numpy's or torch's")
    return numpy.empty(shape, type_ or like.dtype)


def zeros(shape, like, type_):
    """As empty(), of zeros."""
    made = empty(shape, like, type_)
    made[...] = 0
    return made


class Floats:
    """Memory of float32 of our own, all 0, as an array; dimensions of stride 0 have one element."""

    dtype = "float32"

    def __init__(self, shape, strides=None):
        self.shape, self.strides = tuple(shape), strides or contiguous_strides(shape)
        spans = ((n - 1) * s for n, s in zip(self.shape, self.strides))
        self.data = (ctypes.c_float * (sum(spans) + 1 if 0 not in self.shape else 0))()

    @property
    def __array_interface__(self):
        strides = tuple(4 * s for s in self.strides)
        data = (ctypes.addressof(self.data), False)
        return {"version": 3, "data": data, "shape": self.shape, "strides": strides, "typestr": "<f4"}
