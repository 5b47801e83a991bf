"""Batches of samples on a GPU: what bench/measure/CUDASamples.cpp enqueues in
attn-bench's own process, call by call, from the same PTX and with the same numbers."""

import functools
import time

import driver


class _Buffers:
    """What is written and what is read to flush the L2 cache, and a place for what
    kernels store and nobody reads."""

    def __init__(self, count, stream):
        self.count = count
        self.sink = driver.allocate(8)
        self.written = driver.allocate(count) if count else 0
        self.read = driver.allocate(count) if count else 0
        if count:
            driver.fill(self.read, 0, count, stream)


_buffers = functools.cache(_Buffers)
_events = []  # for all turns


def _take_events(count):
    while len(_events) < count:
        _events.append(driver.Event())
    return _events[:count]


class Batches:
    """Takes batches of `run` on `stream`, as attn-bench's request says."""

    def __init__(self, run, options, stream):
        self.run, self.stream = run, stream
        self.flushes = not options["hot"] and options["flush_bytes"] > 0
        self.buffers = _buffers(options["flush_bytes"], stream)
        self.waits = driver.Kernel(options["kernels"], "attn_bench_wait", 2)
        self.reads = driver.Kernel(options["kernels"], "attn_bench_read", 3)
        self.grid = (options["read_blocks"], options["read_threads"])
        events = _take_events(2 * max(options["samples"], 1) + 3)
        self.begin, *self.ends = events[:3]  # The ends: of the last batch, and of this
        self.pairs = list(zip(events[3::2], events[4::2]))
        self.taken = 0
        self.finished = time.perf_counter()

    def wait(self, seconds):
        nanoseconds = int(max(0.0, seconds) * 1e9)
        self.waits.launch(1, 1, self.stream, self.buffers.sink, nanoseconds)

    def flush(self):
        if not self.flushes:
            return
        buffers = self.buffers
        driver.fill(buffers.written, 0, buffers.count, self.stream)
        values = (buffers.sink, buffers.read, buffers.count // 16)
        self.reads.launch(*self.grid, self.stream, *values)

    def synchronize(self):
        driver.synchronize(self.stream)

    def take(self, count, rest):
        """`count` samples, enqueued in one go, after `rest` seconds since the last batch
        ended. The seconds of rest and of work are the GPU's."""
        between = time.perf_counter() - self.finished
        pairs, (before, end) = self.pairs[:count], self.ends
        start = time.perf_counter()
        try:
            self.wait(rest - between)
            self.begin.record(self.stream)
            for first, second in pairs:
                self.flush()
                first.record(self.stream)
                self.run()
                second.record(self.stream)
            end.record(self.stream)
            host = (time.perf_counter() - start) / count
        finally:
            self.synchronize()
            self.finished = time.perf_counter()
        times = {
            "samples": [first.seconds_until(second) for first, second in pairs],
            "busy": self.begin.seconds_until(end),
            "rest": before.seconds_until(self.begin) if self.taken else 0.0,
            "between": between,
            "host": host,
        }
        self.ends = [end, before]
        self.taken += 1
        return times

    def launch(self):
        """Seconds of one run on an idle GPU by the host's clock, and until the call returned."""
        self.flush()
        self.synchronize()
        start = time.perf_counter()
        self.run()
        host = time.perf_counter() - start
        self.synchronize()
        return time.perf_counter() - start, host
