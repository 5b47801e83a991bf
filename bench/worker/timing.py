"""One turn of runs, timed as attn-bench times its own backends (bench/Timing.h).

On a GPU: CUDA events around each run, the L2 cache flushed before it. Runs are
enqueued while the GPU still works, so that neither Python nor the launch is part
of the samples; a second, shorter series measures runs with their launch.
"""

import time

# Cycles of a wait on the GPU: a clock of 2 GHz is about the fastest there is.
CYCLES_PER_SECOND = 2.0e9
LONGEST_WAIT = 0.05


class Rule:
    """How many warm-up calls, samples and launches one turn takes."""

    def __init__(self, options):
        self.options = options
        self.warmups, self.warmup_total = 0, 0.0
        self.samples, self.with_launch = [], []

    def needs_warmup(self):
        if not self.warmups or self.warmup_total < self.options["warmup_seconds"]:
            return True
        return self.warmups < 3 and self.warmup_total < self.options["seconds"] / 4

    def add_warmup(self, seconds, count=1):
        self.warmups += count
        self.warmup_total += seconds

    def needs_sample(self):
        count = len(self.samples)
        enough = count >= self.options["samples"]
        return count == 0 or not (enough or sum(self.samples) >= self.options["seconds"])

    def needs_launch(self):
        count = len(self.with_launch)
        each = sum(self.samples) / len(self.samples)
        enough = count >= self.options["launches"]
        return count == 0 or not (enough or each * count >= self.options["seconds"])

    def result(self):
        return {"samples": self.samples, "with_launch": self.with_launch}


def turn_on_cpu(run, options):
    rule = Rule(options)

    def once():
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    while rule.needs_warmup():
        rule.add_warmup(once())
    while rule.needs_sample():
        rule.samples.append(once())
    rule.with_launch = list(rule.samples)
    return rule.result()


class Flush:
    """Overwrites a buffer of twice the L2 cache; does nothing for hot runs."""

    def __init__(self):
        self.buffer = None

    def prepare(self, options):
        import torch

        count = 0 if options["hot"] else options["flush_bytes"]
        if count == 0:
            self.buffer = None
        elif self.buffer is None or self.buffer.numel() != count:
            self.buffer = torch.empty(count, dtype=torch.uint8, device="cuda")

    def __call__(self):
        if self.buffer is not None:
            self.buffer.zero_()


_flush = Flush()


def turn_on_gpu(run, options):
    import torch

    rule = Rule(options)
    _flush.prepare(options)
    torch.cuda.synchronize()
    enqueueing = 0.0  # seconds that the host takes for one sample
    batch = 1
    while rule.needs_warmup():
        start = time.perf_counter()
        for _ in range(batch):
            _flush()
            run()
        enqueueing = (time.perf_counter() - start) / batch
        torch.cuda.synchronize()
        seconds = time.perf_counter() - start
        rule.add_warmup(seconds, batch)
        batch = max(1, min(options["samples"], int(0.05 * batch / seconds)))
    while rule.needs_sample():
        taken = batch_of_samples(run, batch, enqueueing)
        while taken and rule.needs_sample():
            rule.samples.append(taken.pop(0))
    while rule.needs_launch():
        _flush()
        torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        torch.cuda.synchronize()
        rule.with_launch.append(time.perf_counter() - start)
    return rule.result()


def batch_of_samples(run, count, enqueueing):
    """Seconds of `count` runs. The GPU first waits for as long as the host takes to
    enqueue them: it must not run dry between the events of one sample."""
    import torch

    pairs = [
        [torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(count)
    ]
    wait = min(LONGEST_WAIT, 1.5 * enqueueing * count)
    torch.cuda._sleep(int(wait * CYCLES_PER_SECOND))
    for start, end in pairs:
        _flush()
        start.record()
        run()
        end.record()
    torch.cuda.synchronize()
    return [start.elapsed_time(end) * 1e-3 for start, end in pairs]


def turn(device, run, options):
    return turn_on_gpu(run, options) if device == "cuda" else turn_on_cpu(run, options)
