"""Compiles with libattn.so and with Triton, which has an LLVM of its own, in one
process: beside_triton.py LIBATTN attn|triton says which is loaded first."""
import ctypes
import sys

MOD = b"attn.mod @plain"


class Spec(ctypes.Structure):  # attn_spec
    _fields_ = [("size", ctypes.c_size_t), ("target", ctypes.c_int32), ("type", ctypes.c_int32)]
    _fields_ += [("head_dim", ctypes.c_int64), ("rest", ctypes.c_byte * 80)]


def compile_attn(path):
    lib = ctypes.CDLL(path)
    lib.attn_error_text.restype = ctypes.c_char_p
    lib.attn_kernel_schedule.restype = ctypes.c_char_p
    lib.attn_kernel_schedule.argtypes = [ctypes.c_void_p]
    mod, kernel, spec = ctypes.c_void_p(), ctypes.c_void_p(), Spec(ctypes.sizeof(Spec), 1, 1, 16)
    if lib.attn_mod_from_source(MOD, b"mod.mlir", ctypes.byref(mod)):
        sys.exit(lib.attn_error_text())
    if lib.attn_kernel_compile(mod, ctypes.byref(spec), ctypes.byref(kernel)):
        sys.exit(lib.attn_error_text())
    print("attn:", lib.attn_kernel_schedule(kernel).decode())


def double(x, n: "tl.constexpr"):
    i = tl.arange(0, n)
    tl.store(x + i, tl.load(x + i) * 2)


def compile_triton():
    global tl
    import triton
    import triton.language as tl
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    source = ASTSource(fn=triton.jit(double), signature={"x": "*fp32", "n": "constexpr"}, constexprs={"n": 64})
    code = triton.compile(source, target=GPUTarget("cuda", 80, 32)).asm["ptx"]
    print("triton:", [line for line in code.splitlines() if ".target" in line][0])


steps = [lambda: compile_attn(sys.argv[1]), compile_triton]
for step in steps if sys.argv[2] == "attn" else reversed(steps):
    step()
