"""One turn of runs, timed as attn-bench times its own backends (bench/measure/Timing.h).

On a GPU: CUDA events around each run, the L2 cache flushed before it. Runs are
enqueued in batches while the GPU waits or works, so that neither Python nor the launch
is part of the samples; a second, shorter series measures runs with their launch. How
long the GPU rests before a batch follows from the duty that attn-bench asks all
backends of a case to keep.
"""

import statistics
import time

from batches import Batches

PACE_BATCHES = 5


class Rule:
    """How many warm-up calls, samples and launches one turn takes."""

    def __init__(self, options):
        self.options = options
        self.warmups, self.warmup_total = 0, 0.0
        self.samples, self.with_launch, self.batches = [], [], []
        self.host = []  # of each of with_launch; none on a CPU

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

    def add_batch(self, times):
        before = len(self.samples)
        for seconds in times["samples"]:
            if not self.needs_sample():
                break
            self.samples.append(seconds)
        taken = len(self.samples) - before
        batch = {"samples": taken, "rest": times["rest"], "busy": times["busy"]}
        self.batches.append(batch)

    def needs_launch(self):
        count = len(self.with_launch)
        each = sum(self.samples) / len(self.samples)
        enough = count >= self.options["launches"]
        return count == 0 or not (enough or each * count >= self.options["seconds"])

    def result(self):
        return {
            "samples": self.samples,
            "with_launch": self.with_launch,
            "host": self.host,
            "batches": self.batches,
        }


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


def batch_size(gpu_seconds, options):
    if gpu_seconds <= 0:
        return 1
    return int(max(1, min(options["batch_seconds"] / gpu_seconds, options["samples"])))


def rest_for(busy, duty):
    return busy * (1 - duty) / duty if 0 < duty < 1 else 0.0


def find_pace(batches, options):
    """What a sample takes the GPU and the host, from a few batches without rests."""
    times = batches.take(1, 0.0)  # The first call loads what is loaded late.
    each, total, found = times["busy"], 0.0, []
    while len(found) < PACE_BATCHES and total < options["seconds"]:
        count = batch_size(each, options)
        times = batches.take(count, 0.0)
        each = times["busy"] / count
        found.append((each, times["host"], times["between"]))
        total += times["busy"] + times["rest"]
    names = ("gpu", "host", "between")
    medians = [statistics.median(values) for values in zip(*found)]
    return {"pace": dict(zip(names, medians))}


def turn_on_gpu(run, options):
    import torch

    torch.cuda.synchronize()  # Makes the context current.
    batches = Batches(run, options, torch.cuda.current_stream().cuda_stream)
    if options["only_pace"]:
        return find_pace(batches, options)
    rule = Rule(options)
    count, rest = 1, 0.0
    while rule.needs_warmup() or rule.needs_sample():
        warms_up = rule.needs_warmup()
        times = batches.take(count, rest)
        if warms_up:
            rule.add_warmup(times["rest"] + times["busy"], count)
        else:
            rule.add_batch(times)
        each = times["busy"] / count
        count = batch_size(each, options)
        rest = rest_for(count * each, options["duty"])
    while rule.needs_launch():
        seconds, host = batches.launch()
        rule.with_launch.append(seconds)
        rule.host.append(host)
    return rule.result()


def turn(device, run, options):
    return turn_on_gpu(run, options) if device == "cuda" else turn_on_cpu(run, options)
