#!/usr/bin/env python3
"""Stands in for an interpreter that runs bench/worker, without PyTorch: it answers
for small f32 problems, or does what a worker must not. FAKE_WORKER says what each
backend does: "fav2=crash flex=hang", "hello=no-torch"; the rest answers rightly.
FAKE_WORKER_LOG names a file that gets this process's id and each request's name.
"""

import itertools
import json
import math
import mmap
import os
import signal
import struct
import sys
import time

FAULTS = dict(word.split("=") for word in os.environ.get("FAKE_WORKER", "").split())


class Tensor:
    """f32 (batch, head, position, channel) in the tool's shared memory."""

    def __init__(self, description):
        memory = description["memory"]
        assert memory["kind"] == "file" and description["dtype"] == "f32"
        with open(memory["handle"], "r+b") as file:
            self.bytes = mmap.mmap(file.fileno(), memory["bytes"])
        self.start = memory["offset"]
        self.sizes, self.strides = description["sizes"], description["strides"]

    def place(self, *index):
        return self.start + 4 * sum(i * s for i, s in zip(index, self.strides))

    def row(self, *index):
        dim = self.sizes[3]
        return struct.unpack_from(f"{dim}f", self.bytes, self.place(*index, 0))

    def set_row(self, index, values):
        struct.pack_into(f"{len(values)}f", self.bytes, self.place(*index, 0), *values)


class Numbers:
    """i32 (batch) or (batch, columns) in the tool's shared memory."""

    def __init__(self, description):
        memory = description["memory"]
        assert memory["kind"] == "file" and description["dtype"] == "i32"
        with open(memory["handle"], "r+b") as file:
            self.bytes = mmap.mmap(file.fileno(), memory["bytes"])
        self.start, self.strides = memory["offset"], description["strides"]

    def at(self, *index):
        place = self.start + 4 * sum(i * s for i, s in zip(index, self.strides))
        return struct.unpack_from("i", self.bytes, place)[0]


class PagedTensor(Tensor):
    """Rows of f32 (page, head, row, channel) by (batch, head, position)."""

    def __init__(self, description, table):
        super().__init__(description)
        self.table = Numbers(table)

    def row(self, b, h, position):
        page, row = divmod(position, self.sizes[2])
        return super().row(self.table.at(b, page), h, row)


def keys_and_values(request):
    """As the backend reads them: from pages where there are some."""
    pages = request.get("pages")
    if not pages:
        return Tensor(request["key"]), Tensor(request["value"])
    return [PagedTensor(pages[name], pages["table"]) for name in ("key", "value")]


def probabilities(request, query, key, b, h, q):
    """The probabilities of one query, by the definition of noop and causal."""
    group = query.sizes[1] // key.sizes[1]
    there, last = key.sizes[2], request["query_offset"] + q
    if "lengths" in request:
        there = request["lengths"]["values"][b]
        assert Numbers(request["lengths"]["tensor"]).at(b) == there
        last = there - query.sizes[2] + q
    keys = there if request["pattern"] == "noop" else last + 1
    row = query.row(b, h, q)
    scores = [
        request["scale"] * sum(x * y for x, y in zip(row, key.row(b, h // group, kv)))
        for kv in range(keys)
    ]
    weights = [math.exp(score - max(scores)) for score in scores]
    return [weight / sum(weights) for weight in weights]


def indices(tensor):
    return itertools.product(*(range(size) for size in tensor.sizes[:3]))


def attention(request, out):
    query = Tensor(request["query"])
    key, value = keys_and_values(request)
    group = query.sizes[1] // key.sizes[1]
    for b, h, q in indices(query):
        result = [0.0] * value.sizes[3]
        for kv, p in enumerate(probabilities(request, query, key, b, h, q)):
            for d, x in enumerate(value.row(b, h // group, kv)):
                result[d] += p * x
        out.set_row((b, h, q), result)


def gradients(request, grad_out, grads):
    """Writes the gradients, which a forward pass is not needed for."""
    query, key, value = (Tensor(request[name]) for name in ("query", "key", "value"))
    group = query.sizes[1] // key.sizes[1]
    sums = [
        {index: [0.0] * grad.sizes[3] for index in indices(grad)} for grad in grads
    ]

    def add(which, index, factor, row):
        for d, x in enumerate(row):
            sums[which][index][d] += factor * x

    for b, h, q in indices(query):
        ps = probabilities(request, query, key, b, h, q)
        flow = grad_out.row(b, h, q)
        rows = [(b, h // group, kv) for kv in range(len(ps))]
        dps = [sum(x * y for x, y in zip(flow, value.row(*row))) for row in rows]
        mean = sum(p * dp for p, dp in zip(ps, dps))
        for row, p, dp in zip(rows, ps, dps):
            ds = p * (dp - mean) * request["scale"]
            add(0, (b, h, q), ds, key.row(*row))
            add(1, row, ds, query.row(b, h, q))
            add(2, row, p, flow)
    for grad, values in zip(grads, sums):
        for index, row in values.items():
            grad.set_row(index, row)


class Worker:
    def __init__(self):
        self.prepared = {}

    def hello(self, request):
        if FAULTS.get("hello") == "no-torch":
            reason = "PyTorch is not installed (--python chooses the interpreter)"
            return {"ok": False, "kind": "unavailable", "reason": reason}
        return {"ok": True, "python": "3", "torch": "fake"}

    def prepare(self, request):
        fault = FAULTS.get(request["slot"])
        if fault == "crash":
            print("about to crash", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGSEGV)
        if fault == "hang-prepare":
            time.sleep(1000)
        if fault == "garbage":
            print("<html>Not Found</html>", flush=True)
            return None
        if fault == "stranger":
            return {"ok": True, "id": -1}
        if fault in ("unsupported", "out_of_memory", "unavailable"):
            return {"ok": False, "kind": fault, "reason": f"this is {fault}"}
        if fault == "fatal":
            reason = "CUDA error: an illegal memory access was encountered"
            return {"ok": False, "kind": "failed", "fatal": True, "reason": reason}
        self.prepared[request["slot"]] = request
        return {
            "ok": True,
            "first_run": 0.25,
            "remark": "this is a remark",
            "lists_seconds": 0.125 if request["slot"] == "flex" else None,
        }

    def run(self, request):
        out = Tensor(request["out"])
        attention(self.prepared[request["slot"]], out)
        if FAULTS.get(request["slot"]) == "lie":
            row = list(out.row(0, 1, 2))
            row[3] += 0.01
            out.set_row((0, 1, 2), row)
        return {"ok": True}

    def prepare_backward(self, request):
        if FAULTS.get(request["slot"]) == "no-backward":
            return {"ok": False, "kind": "unsupported", "reason": "only forward"}
        self.grad_out = Tensor(request["grad_out"])
        return {"ok": True, "first_run": 0.25}

    def run_backward(self, request):
        names = ("grad_query", "grad_key", "grad_value")
        grads = [Tensor(request[name]) for name in names]
        gradients(self.prepared[request["slot"]], self.grad_out, grads)
        fault = FAULTS.get(request["slot"])
        if fault == "lie-backward":
            row = list(grads[1].row(1, 0, 2))
            row[3] *= 1.01
            grads[1].set_row((1, 0, 2), row)
        if fault == "crash-backward":
            os.kill(os.getpid(), signal.SIGKILL)
        return {"ok": True}

    def time(self, request):
        fault = FAULTS.get(request["slot"])
        if fault == "hang":
            time.sleep(1000)
        if fault == "exit":
            print("could not go on", file=sys.stderr, flush=True)
            os._exit(3)
        if fault == "no-times":
            return {"ok": True, "samples": [1, "two"], "with_launch": []}
        assert request["slot"] in self.prepared
        count = request["samples"]
        answer = {"ok": True, "samples": [1e-3] * count, "with_launch": [2e-3]}
        if fault == "no-batches":
            return answer
        if request["only_pace"]:
            return {"ok": True, "pace": {"gpu": 1e-3, "host": 1e-4, "between": 2e-4}}
        return {**answer, "batches": [{"samples": count, "rest": 0.25, "busy": 0.75}]}

    def finish(self, request):
        self.prepared.pop(request["slot"], None)
        return {"ok": True}


def log(text):
    if "FAKE_WORKER_LOG" in os.environ:
        with open(os.environ["FAKE_WORKER_LOG"], "a") as file:
            file.write(text + "\n")


def main():
    log(f"pid {os.getpid()}")
    worker = Worker()
    for line in sys.stdin:
        request = json.loads(line)
        flags = [name for name in ("max_autotune", "dynamic", "deterministic") if request.get(name)]
        if request["op"] == "time" and request["kernels"]:
            known = ("id", "op", "slot", "direction")
            flags = [f"{name}={request[name]!r}" for name in sorted(request) if name not in known]
        log(" ".join([request["op"], request.get("slot", "")] + flags))
        answer = getattr(worker, request["op"])(request)
        if answer is not None:
            print(json.dumps({"id": request["id"], **answer}), flush=True)


if __name__ == "__main__":
    main()
