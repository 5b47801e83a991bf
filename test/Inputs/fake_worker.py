#!/usr/bin/env python3
"""Stands in for an interpreter that runs bench/worker, without PyTorch: it answers
for small f32 problems, or does what a worker must not. FAKE_WORKER says what each
backend does: "fav2=crash flex=hang", "hello=no-torch"; the rest answers rightly.
FAKE_WORKER_LOG names a file that gets this process's id and each request's name.
"""

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


def attention(request, out):
    query, key, value = (Tensor(request[name]) for name in ("query", "key", "value"))
    batch, heads, queries, _ = query.sizes
    group = heads // key.sizes[1]
    for b in range(batch):
        for h in range(heads):
            for q in range(queries):
                last = request["query_offset"] + q
                keys = key.sizes[2] if request["pattern"] == "noop" else last + 1
                row = query.row(b, h, q)
                scores = [
                    request["scale"]
                    * sum(x * y for x, y in zip(row, key.row(b, h // group, kv)))
                    for kv in range(keys)
                ]
                weights = [math.exp(score - max(scores)) for score in scores]
                total = sum(weights)
                result = [0.0] * value.sizes[3]
                for kv, weight in enumerate(weights):
                    for d, x in enumerate(value.row(b, h // group, kv)):
                        result[d] += weight / total * x
                out.set_row((b, h, q), result)


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
        return {"ok": True, "first_run": 0.25, "remark": "this is a remark"}

    def run(self, request):
        out = Tensor(request["out"])
        attention(self.prepared[request["slot"]], out)
        if FAULTS.get(request["slot"]) == "lie":
            row = list(out.row(0, 1, 2))
            row[3] += 0.01
            out.set_row((0, 1, 2), row)
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
        samples = [1e-3] * request["samples"]
        return {"ok": True, "samples": samples, "with_launch": [2e-3]}

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
        log(f"{request['op']} {request.get('slot', '')}")
        answer = getattr(worker, request["op"])(request)
        if answer is not None:
            print(json.dumps({"id": request["id"], **answer}), flush=True)


if __name__ == "__main__":
    main()
