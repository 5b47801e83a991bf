# UNSUPPORTED: sanitized
# RUN: env LD_PRELOAD=%fake_gpu python3 %s %source | FileCheck %s
# CHECK: turns agree
"""How bench/worker/timing.py takes a turn on a GPU, on the fake one: that of the unit
tests, which notes each call. Everything that it enqueues must be what attn-bench
enqueues itself (CUDABenchTest.cpp compares its turn with the same file)."""

import ctypes
import itertools
import os
import sys
import types

SOURCE = sys.argv[1]
sys.path.insert(0, os.path.join(SOURCE, "bench", "worker"))

synchronize = lambda: None  # noqa: E731
stream = types.SimpleNamespace(cuda_stream=None)
cuda = types.SimpleNamespace(synchronize=synchronize, current_stream=lambda: stream)
sys.modules["torch"] = types.SimpleNamespace(cuda=cuda)

import driver
import timing

WORK = """.version 7.1
.target sm_80
.address_size 64
.visible .entry work(
)
{
  ret;
}
"""
with open(os.path.join(SOURCE, "bench", "measure", "TimingKernels.cpp")) as file:
    KERNELS = file.read().split('R"(')[1].split(')";')[0]

fake = ctypes.CDLL("libcuda.so.1")
fake.fakeCUDASequence.restype = ctypes.c_char_p
fake.fakeCUDASetTimes.argtypes = [ctypes.c_double, ctypes.c_double]
# PyTorch makes its context current.
context = ctypes.c_void_p()
fake.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0)
fake.cuCtxSetCurrent(context)
work = driver.Kernel(WORK, "work", 0)


def turn(count=1, fill=1.0, **changes):
    """The result of a turn of so many kernels of half a millisecond, and the calls. A
    flush takes `fill` milliseconds and half a millisecond for reading."""
    options = dict(warmup_seconds=0.1, seconds=0.1, samples=32, launches=4)
    options.update(hot=False, flush_bytes=4096, read_blocks=2, read_threads=256)
    options.update(kernels=KERNELS, batch_seconds=0.05, duty=1.0, only_pace=False)
    options.update(changes)
    counts = iter(count) if isinstance(count, list) else itertools.repeat(count)

    def run():
        for _ in range(next(counts)):
            work.launch(1, 1, None)

    fake.fakeCUDASetTimes(fill, 0.5)
    fake.fakeCUDASequence()
    result = timing.turn("cuda", run, options)
    return result, fake.fakeCUDASequence().decode().splitlines()


def near(values, wanted, tolerance=1e-6):
    return all(abs(value - wanted) < tolerance for value in values)


def runs(calls):
    return calls.count("launch work 1 x 1")


# The calls of a small turn, one by one; the buffers are there from the turn before.
small = dict(warmup_seconds=0.005, seconds=10.0, samples=4, launches=2, duty=0.9)
small.update(batch_seconds=0.007, flush_bytes=128 << 10, read_blocks=32)
turn(**small)
result, calls = turn(**small)
with open(os.path.join(SOURCE, "test", "Inputs", "turn-on-a-gpu.txt")) as file:
    wanted = [line for line in file.read().splitlines() if not line.startswith("#")]
assert calls == wanted, "\n".join(calls)
assert near(result["samples"], 0.5e-3) and len(result["samples"]) == 4, result

# Runs of a millisecond are warmed up for 0.1 s; then 32 samples in two batches, which
# hold neither the flush nor the wait. With launch: the host's time from the call on.
result, calls = turn(count=2)
assert len(result["samples"]) == 32 and near(result["samples"], 1e-3), result
assert [batch["samples"] for batch in result["batches"]] == [20, 12], result
assert near([batch["busy"] for batch in result["batches"]], 20 * 2.5e-3, 1e-4), result
assert len(result["with_launch"]) == len(result["host"]) == 4
assert all(0 < host <= total for host, total in zip(result["host"], result["with_launch"]))
warmups = runs(calls) - 2 * 40 - 2 * 4
assert 2 * 40 <= warmups <= 2 * 60, warmups

# The GPU rests for as long as the duty says, with the host's share counted in.
for duty in (0.9, 0.5):
    result, calls = turn(count=2, duty=duty)
    for batch in result["batches"]:
        share = batch["busy"] / (batch["busy"] + batch["rest"])
        assert abs(share - duty) < 0.01, (duty, result["batches"])

# A slow run is warmed up once, and sampled until the time is up.
result, calls = turn(count=300, fill=0.0)
assert runs(calls) == 300 * (1 + 1 + 1), runs(calls)
assert near(result["samples"], 0.15, 1e-4) and len(result["samples"]) == 1
result, calls = turn(count=60, fill=0.0)
assert len(result["samples"]) == 4, result

# Clocks that change while a turn warms up are in no sample.
result, calls = turn(count=[4] * 20 + [2] * 500)
assert max(result["samples"]) < 1.1e-3, result["samples"]

# The pace: what a sample costs the GPU, and what the host, in batches without rests.
result, calls = turn(count=2, only_pace=True, duty=0.5)
assert set(result) == {"pace"} and near([result["pace"]["gpu"]], 2.5e-3, 1e-5), result
assert 0 < result["pace"]["host"] < 0.1 and 0 < result["pace"]["between"] < 0.1
assert runs(calls) == 2 * (1 + 2 * 20), runs(calls)

# Hot runs flush nothing.
result, calls = turn(count=2, hot=True)
assert not any("fill" in call or "attn_bench_read" in call for call in calls)
assert runs(calls) > 32

# What the driver refuses is said in its words.
try:
    driver.allocate(1 << 60)
except RuntimeError as error:
    assert str(error) == "cuMemAlloc: out of memory", error
else:
    raise AssertionError("allocates what is not there")
print("turns agree")
