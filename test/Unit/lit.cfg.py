# Runs the GoogleTest programs, so that one runner counts every test. Their
# directory in the build is the suite: it holds the programs.
import os
import shutil

import lit.formats

config.name = "attn-unit"
config.test_format = lit.formats.GoogleTest(".", "Tests")
config.test_source_root = os.path.join(config.attn_build_dir, "test", "Unit")
config.test_exec_root = config.test_source_root
for name in (
    "HOME",
    "LD_LIBRARY_PATH",
    "OPENBLAS_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
    "ATTN_CPU",
    "ATTN_FUZZ_MODS",
    "ATTN_FUZZ_PROGRAMS",
    "ATTN_FUZZ_SEED",
    "ATTN_TEST_PTXAS",
):
    if name in os.environ:
        config.environment[name] = os.environ[name]
deps_bin = os.path.join(config.attn_deps_dir, "bin")
ptxas = shutil.which("ptxas", path=os.pathsep.join([deps_bin, os.environ.get("PATH", ""), "/usr/local/cuda/bin"]))
if ptxas:
    config.environment.setdefault("ATTN_TEST_PTXAS", ptxas)
# Tests of what a cache has of machine code bring a ptxas of their own.
config.environment["ATTN_PTXAS"] = "off"
if lit_config.params.get("gpu"):
    config.environment["ATTN_TEST_GPU"] = "1"
if lit_config.params.get("long"):
    config.environment["ATTN_TEST_LONG"] = "1"
