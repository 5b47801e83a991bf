"""attn-bench's PyTorch worker: `python3 bench/worker`, started by attn-bench.

One request per line on standard input, one answer per line on standard output,
both JSON objects with the same "id". Inputs are the tool's own tensors, shared
and not copied; outputs go into its buffers. Everything that other code prints goes
to standard error.

  {"op": "hello"}            versions of PyTorch, CUDA and the attention packages
  {"op": "prepare", ...}     one backend and one problem; its inputs are opened
  {"op": "run"}              one run of it, into "out"
  {"op": "time", ...}        one turn of runs, without "out"
  {"op": "finish"}           drops what prepare took
  {"op": "prepare_backward"}, {"op": "run_backward"}
                             the same for the gradients of query, key and value

Several problems can be prepared at a time, each in its "slot". An answer has "ok": true, or "ok": false with a "kind" (unavailable, unsupported,
out_of_memory, failed) and a "reason".
"""

import json
import os
import sys

import problem
import versions
from refusal import Refusal, refusal_for


class Worker:
    """The state between requests: what is prepared, by slot."""

    def __init__(self):
        self.slots = {}

    def hello(self, request):
        return versions.report()

    def prepare(self, request):
        self.finish(request)
        prepared = problem.prepare(request)
        self.slots[request["slot"]] = prepared
        return prepared.description()

    def prepare_backward(self, request):
        return self.prepared(request).prepare_backward(request)

    def run(self, request):
        self.prepared(request).run_into(request["out"])
        return {}

    def run_backward(self, request):
        self.prepared(request).run_backward_into(request)
        return {}

    def time(self, request):
        return self.prepared(request).time(request)

    def finish(self, request):
        prepared = self.slots.pop(request["slot"], None)
        if prepared is not None:
            prepared.close()
        return {}

    def prepared(self, request):
        if request["slot"] not in self.slots:
            raise Refusal("failed", "nothing is prepared")
        return self.slots[request["slot"]]

    def answer(self, request):
        handlers = {
            "hello": self.hello,
            "prepare": self.prepare,
            "prepare_backward": self.prepare_backward,
            "run": self.run,
            "run_backward": self.run_backward,
            "time": self.time,
            "finish": self.finish,
        }
        try:
            return {"ok": True, **handlers[request["op"]](request)}
        except Exception as error:
            refusal = refusal_for(error)
            answer = {"ok": False, "kind": refusal.kind, "reason": refusal.reason}
            # The GPU's context is lost with the first such error.
            answer["fatal"] = type(error).__name__ == "AcceleratorError"
            return answer


def take_stdout():
    """The stream to answer on. What libraries print must not end up there."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def main():
    answers = take_stdout()
    worker = Worker()
    for line in sys.stdin:
        request = json.loads(line)
        answer = worker.answer(request)
        answer["id"] = request["id"]
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
