"""include/attn/attn.h for ctypes: structures and prototypes, and nothing else.

test/Python/layout.py compares every structure with the header.
"""

import ctypes
from ctypes import POINTER, c_char_p, c_double, c_float, c_int32, c_int64, c_size_t, c_void_p

ABI_VERSION = 0

F32, F16, BF16, F64, I32, I64, I16, I8, U8, BOOL = range(1, 11)
CPU, CUDA = 1, 2
OFFSET_SCALAR, OFFSET_PER_BATCH = 1, 2


class _Sized(ctypes.Structure):
    """A structure that begins with its own size."""

    def __init__(self, **fields):
        super().__init__(size=ctypes.sizeof(type(self)), **fields)


def _fields(*groups):
    """Of ("a b", type), the size first."""
    return [("size", c_size_t)] + [(name, type_) for names, type_ in groups for name in names.split()]


class Sizes(_Sized):
    _fields_ = _fields(("batch heads kv_heads queries keys head_dim value_dim sequences", c_int64))


class Tensor(_Sized):
    _fields_ = _fields(("data", c_void_p), ("type", c_int32), ("sizes", c_int64 * 4), ("strides", c_int64 * 3))


class Capture(_Sized):
    _fields_ = _fields(("data", c_void_p), ("type rank", c_int32), ("sizes strides", POINTER(c_int64)))


class CaptureInfo(_Sized):
    _fields_ = _fields(("name", c_char_p), ("type rank is_scalar is_query_offset is_lengths", c_int32))


class Spec(_Sized):
    _fields_ = _fields(
        ("target type", c_int32),
        ("head_dim value_dim", c_int64),
        ("scale", POINTER(c_float)),
        ("schedule", c_char_p),
        ("device", POINTER(c_int32)),
        ("lse unaligned portable exact deterministic ragged_queries ragged_keys paged", c_int32),
        ("strided_captures invariant checked", c_int32),
        ("shares", c_int64),
    )


class Starts(_Sized):
    _fields_ = _fields(("starts", c_void_p), ("sequences", c_int64))


class Arguments(_Sized):
    _fields_ = _fields(
        ("query key value out", POINTER(Tensor)),
        ("lse", c_void_p),
        ("captures", POINTER(Capture)),
        ("capture_count", c_size_t),
        ("stream tiles", c_void_p),
        ("query_starts key_starts", POINTER(Starts)),
        ("pages", POINTER(Capture)),
        ("workspace", c_void_p),
        ("workspace_bytes", c_int64),
    )


class GradientArguments(_Sized):
    _fields_ = _fields(
        ("query key value out", POINTER(Tensor)),
        ("lse", c_void_p),
        ("captures", POINTER(Capture)),
        ("capture_count", c_size_t),
        ("grad_out", POINTER(Tensor)),
        ("grad_lse", c_void_p),
        ("grad_query grad_key grad_value", POINTER(Tensor)),
        ("grad_captures", POINTER(c_void_p)),
        ("grad_capture_count", c_size_t),
        ("tiles stream workspace", c_void_p),
        ("workspace_bytes", c_int64),
    )


_INTO = POINTER(c_void_p)
_SIZES = POINTER(Sizes)
_CAPTURES = [POINTER(Capture), c_size_t]
_PROTOTYPES = {
    "attn_error_text": (c_char_p, []),
    "attn_version": (c_char_p, []),
    "attn_mod_from_file": (c_int32, [c_char_p, _INTO]),
    "attn_mod_from_source": (c_int32, [c_char_p, c_char_p, _INTO]),
    "attn_mod_release": (None, [c_void_p]),
    "attn_mod_name": (c_char_p, [c_void_p]),
    "attn_mod_has_score": (c_int32, [c_void_p]),
    "attn_mod_has_mask": (c_int32, [c_void_p]),
    "attn_mod_folds_batch": (c_int32, [c_void_p]),
    "attn_mod_capture_count": (c_size_t, [c_void_p]),
    "attn_mod_capture": (c_int32, [c_void_p, c_size_t, POINTER(CaptureInfo)]),
    "attn_mod_with_query_offset": (c_int32, [c_void_p, c_int32, _INTO]),
    "attn_mod_with_lengths": (c_int32, [c_void_p, _INTO]),
    "attn_mod_make_captures": (c_int32, [c_void_p, _SIZES, _INTO]),
    "attn_captures_release": (None, [c_void_p]),
    "attn_captures_get": (c_int32, [c_void_p, c_size_t, POINTER(Capture)]),
    "attn_mod_check": (c_int32, [c_void_p, _SIZES, *_CAPTURES]),
    "attn_kernel_compile": (c_int32, [c_void_p, POINTER(Spec), _INTO]),
    "attn_kernel_check": (c_int32, [c_void_p, POINTER(Spec)]),
    "attn_kernel_release": (None, [c_void_p]),
    "attn_kernel_run": (c_int32, [c_void_p, POINTER(Arguments)]),
    "attn_kernel_prepare": (c_int32, [c_void_p, _SIZES, _SIZES]),
    "attn_kernel_workspace_bytes": (c_int32, [c_void_p, _SIZES, _SIZES, POINTER(c_int64)]),
    "attn_kernel_needs_tiles": (c_int32, [c_void_p]),
    "attn_kernel_find_tiles": (c_int32, [c_void_p, _SIZES, *_CAPTURES, c_void_p, c_void_p, _INTO]),
    "attn_tiles_release": (None, [c_void_p]),
    "attn_tiles_bytes": (c_int64, [c_void_p]),
    "attn_kernel_compile_seconds": (c_double, [c_void_p]),
    "attn_kernel_schedule": (c_char_p, [c_void_p]),
    "attn_gradient_compile": (c_int32, [c_void_p, POINTER(Spec), POINTER(c_char_p), c_size_t, _INTO]),
    "attn_gradient_release": (None, [c_void_p]),
    "attn_gradient_run": (c_int32, [c_void_p, POINTER(GradientArguments)]),
    "attn_gradient_prepare": (c_int32, [c_void_p, _SIZES, _SIZES]),
    "attn_gradient_workspace_bytes": (c_int32, [c_void_p, _SIZES, _SIZES, *_CAPTURES, POINTER(c_int64)]),
    "attn_gradient_find_tiles": (c_int32, [c_void_p, _SIZES, *_CAPTURES, c_void_p, _INTO]),
    "attn_gradient_tiles_release": (None, [c_void_p]),
    "attn_gradient_compile_seconds": (c_double, [c_void_p]),
    "attn_gradient_schedule": (c_char_p, [c_void_p]),
    "attn_use_cache": (None, [c_char_p]),
    "attn_use_no_cache": (None, []),
}


def declare(library):
    """`library` with what its functions take and give."""
    for name, (result, arguments) in _PROTOTYPES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
