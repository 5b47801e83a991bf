# RUN: python3 %s %source/bench/worker | FileCheck %s
# CHECK: turns agree
"""How bench/worker/timing.py takes a turn on a GPU, with a stand-in for torch.cuda: a
queue that is worked off when someone waits for it, and a clock of its own. What
attn-bench does itself (CUDABenchTest.cpp) must be seen here as well: the flush is
outside of the events, warm-ups are outside of the samples, the queue never runs dry."""

import sys
import types

sys.path.insert(0, sys.argv[1])


class GPU:
    """Kernels are (name, seconds); events are marks between them."""

    def __init__(self):
        self.now, self.queue, self.log = 0.0, [], []
        self.host = 0.0  # the host's clock

    def enqueue(self, name, seconds):
        self.queue.append((name, seconds, None))
        self.host += 5e-6

    def synchronize(self):
        for name, seconds, event in self.queue:
            self.now = max(self.now, self.host) if name == "sleep" else self.now
            self.now += seconds
            self.log.append(name)
            if event:
                event.at = self.now
        self.queue = []
        self.host = self.now = max(self.host, self.now)


gpu = GPU()


class Event:
    def __init__(self, enable_timing):
        assert enable_timing
        self.at = None

    def record(self):
        gpu.queue.append(("event", 0.0, self))

    def elapsed_time(self, end):
        return (end.at - self.at) * 1e3


class Buffer:
    def __init__(self, count, dtype, device):
        self.count = count

    def numel(self):
        return self.count

    def zero_(self):
        gpu.enqueue("flush", self.count * 1e-9)


cuda = types.SimpleNamespace(
    Event=Event,
    synchronize=gpu.synchronize,
    _sleep=lambda cycles: gpu.enqueue("sleep", cycles / 2e9),
)
sys.modules["torch"] = types.SimpleNamespace(cuda=cuda, empty=Buffer, uint8=None)

import timing

timing.time = types.SimpleNamespace(perf_counter=lambda: gpu.host)


def turn(seconds, **changes):
    """The result, and the kernels in the order of their running."""
    options = dict(warmup_seconds=0.1, seconds=0.1, samples=32, launches=4)
    options.update({"hot": False, "flush_bytes": 1000, **changes})
    gpu.log = []
    lengths = iter(seconds)
    run = lambda: gpu.enqueue("run", next(lengths))  # noqa: E731
    result = timing.turn("cuda", run, options)
    return result, gpu.log


def endless(value):
    while True:
        yield value


def sample_pattern(log):
    """The log from the first wait of the GPU on: that of the samples."""
    return log[log.index("sleep") :]


# Runs of a millisecond are warmed up for 0.1 s; then 32 samples.
result, log = turn(endless(1e-3))
warmups = log[: log.index("sleep")].count("run")
assert 100 <= warmups <= 150, warmups
assert len(result["samples"]) == 32 and len(result["with_launch"]) == 4
assert all(abs(sample - 1e-3) < 1e-9 for sample in result["samples"]), result
# The wait of the GPU lasts until the host has enqueued the batch.
batch = sample_pattern(log)[: 1 + 4 * 32]
assert batch == ["sleep"] + ["flush", "event", "run", "event"] * 32, batch
# With launch: the time from the call on, on an idle GPU.
assert all(sample >= 1e-3 for sample in result["with_launch"])
assert log[-2:] == ["flush", "run"]

# A slow run is warmed up once, and sampled until the time is up.
result, log = turn(endless(0.15))
assert log.count("run") == 1 + 1 + 1, log
assert result["samples"] == [0.15] or abs(result["samples"][0] - 0.15) < 1e-9
result, log = turn(endless(0.03))
assert len(result["samples"]) == 4, result

# Clocks that change while a turn warms up are in no sample.
result, log = turn([2e-3] * 40 + [1e-3] * 500)
assert max(result["samples"]) < 1.1e-3, result["samples"]

# Hot runs flush nothing.
result, log = turn(endless(1e-3), hot=True)
assert "flush" not in log and "run" in log
print("turns agree")
