# The test suite: every .mlir, .test and .py file below this directory that has
# RUN lines. Parameters (lit -D or ./dev test):
#   gpu=1         run the cases that REQUIRE: gpu
#   long=1        run the cases that REQUIRE: long
#   roundtrip=1   every attn-opt call also checks --verify-roundtrip
import os
import shutil
import subprocess

import lit.formats

config.name = "attn"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test", ".py"]
config.excludes = ["Unit", "Inputs", "CMakeLists.txt", "lit.cfg.py", "summarize.py"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.attn_build_dir, "test")

# Tools are found by name, ours first.
tool_dirs = [
    os.path.join(config.attn_build_dir, "bin"),
    config.llvm_tools_dir,
    os.path.join(config.attn_deps_dir, "bin"),
    os.environ.get("PATH", ""),
    "/usr/local/cuda/bin",
]
config.environment["PATH"] = os.pathsep.join(d for d in tool_dirs if d)
for name in ("HOME", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "TMPDIR", "ATTN_CPU", "ATTN_FUZZ_SEED",
             "ATTN_FUZZ_DERIVATIVES", "PYTHONPATH"):
    if name in os.environ:
        config.environment[name] = os.environ[name]

# No test looks at how long a kernel takes.
config.environment["ATTN_BENCH_HASTE"] = "20"

# Each test compiles what it looks at; tests of the cache name a directory of their own.
config.environment["ATTN_CACHE_DIR"] = "off"
# The GPU of tests takes no machine code but what a test makes for it.
config.environment["ATTN_PTXAS"] = "off"

# A FileCheck variable that leaks from one function's checks into the next
# makes a test pass for the wrong reason.
config.environment["FILECHECK_OPTS"] = "--enable-var-scope --dump-input-filter=error"

config.substitutions.append(("%configs", os.path.join(config.attn_source_dir, "configs")))
config.substitutions.append(("%source", config.attn_source_dir))
config.substitutions.append(("%build", config.attn_build_dir))
config.substitutions.append(("%libattn", os.path.join(config.attn_build_dir, "lib", "CAPI", "libattn.so")))
config.substitutions.append(("%llvm_libs", os.path.join(config.llvm_tools_dir, "..", "lib")))
# LD_PRELOAD=%fake_gpu gives a program a GPU of the host's (test/PTXMachine).
fake_gpu = os.path.join(config.attn_build_dir, "test", "Unit", "Doubles", "libFakeGPU.so")
config.substitutions.append(("%fake_gpu", fake_gpu))
# Runs the function `main` of linalg on tensors: attn-opt FILE %linalg_to_llvm | %run_main
linalg_to_llvm = [
    "--convert-elementwise-to-linalg",
    "--one-shot-bufferize=bufferize-function-boundaries",
    "--convert-linalg-to-loops",
    "--arith-expand=include-bf16",
    "--expand-strided-metadata",
    "--lower-affine",
    "--convert-scf-to-cf",
    "--convert-to-llvm",
    "--reconcile-unrealized-casts",
]
runner_libs = [
    os.path.join(config.llvm_tools_dir, "..", "lib", name)
    for name in ("libmlir_runner_utils.so", "libmlir_c_runner_utils.so")
]
run_main = "mlir-runner -e main --entry-point-result=void --shared-libs="
# For a program that is linked with the same libraries.
rpath = "-Wl,-rpath," + os.path.dirname(runner_libs[0])
config.substitutions.append(("%runner_libs", " ".join(runner_libs + [rpath])))
config.substitutions.append(("%linalg_to_llvm", " ".join(linalg_to_llvm)))
config.substitutions.append(("%run_main", run_main + ",".join(runner_libs)))
if lit_config.params.get("roundtrip"):
    config.substitutions.append((r"\battn-opt\b", "attn-opt --verify-roundtrip"))


def has_tool(name):
    return shutil.which(name, path=config.environment["PATH"]) is not None


def has_module(name, python):
    probe = f"import importlib.util as u, sys; sys.exit(not u.find_spec('{name}'))"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        return subprocess.run([python, "-c", probe], **quiet).returncode == 0
    except OSError:
        return False


# The interpreter that tests of the Python package and of the PyTorch worker run with:
# ATTN_PYTHON, else that of ./dev setup --torch, else the first that has numpy. ./dev
# setup gives it to Debian's, which need not be the first on the PATH.
with_torch = os.path.join(config.attn_deps_dir, "python", "bin", "python3")
pythons = [os.environ["ATTN_PYTHON"]] if "ATTN_PYTHON" in os.environ else [with_torch, "python3", "/usr/bin/python3"]
python = next((p for p in pythons if has_module("numpy", p)), pythons[0])
config.substitutions.append(("%python", python))


# Whose code test/Target/PTX/ptx-hashes.txt records.
with open(os.path.join(config.attn_source_dir, "test", "Target", "PTX", "ptx-hashes.txt")) as record:
    if record.readline().strip() == f"LLVM {config.llvm_version}":
        config.available_features.add("recorded-llvm")
if has_tool("ptxas"):
    config.available_features.add("ptxas")
# AddressSanitizer needs more address space than a test may limit it to, and a Python
# that is not instrumented cannot load our libraries.
if config.attn_sanitize:
    config.available_features.add("sanitized")
if lit_config.params.get("gpu"):
    config.available_features.add("gpu")
if lit_config.params.get("long"):
    config.available_features.add("long")
for module in ("attn_gym", "expecttest", "numpy", "pytest", "torch", "triton", "wheel", "transformers"):
    if has_module(module, python):
        config.available_features.add(module)
if "torch" not in config.available_features:
    lit_config.note(f"{python} has no torch: tests of attn.torch are skipped (./dev setup --torch)")
for tool in ("chromium", "doxygen", "pkg-config"):
    if has_tool(tool):
        config.available_features.add(tool)

# Nothing here takes more than minutes: a test that hangs is a failure, not a hung
# suite.
supported, _ = lit_config.maxIndividualTestTimeIsSupported
if supported:
    slow = lit_config.params.get("long") or config.attn_sanitize
    lit_config.maxIndividualTestTime = 1800 if slow else 600
