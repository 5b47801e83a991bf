"""One problem of one backend: its tensors, its run, its gradients, its times."""

import contextlib
import os
import time

import pattern as patterns
import timing
from memory import SharedMemory
from refusal import Refusal, unavailable, unsupported
from versions import import_torch


class Problem:
    """What a backend is asked to compute. Tensors are (batch, heads, position,
    channel) views of the tool's memory, stored position before head."""

    def __init__(self, request):
        self.memory = SharedMemory()
        self.device = request["device"]
        self.pattern = patterns.parse(request["pattern"])
        self.offset = request["query_offset"]
        self.scale = request["scale"]
        self.max_autotune = request["max_autotune"]
        self.dynamic = request["dynamic"]
        self.deterministic = request["deterministic"]
        self.query = self.memory.tensor(request["query"])
        self.key = self.memory.tensor(request["key"])
        self.value = self.memory.tensor(request["value"])
        self._open_cache(request)
        self.captures = {
            capture["name"]: self.memory.tensor(capture)
            for capture in request["captures"]
        }

    def _open_cache(self, request):
        """How many keys each sequence has, at whose end its queries stand, and the same
        keys in pages: (page, head, row, channel). Where all have the same number, the
        others are cut off: a kernel for dense tensors needs to know no more."""
        self.lengths, self.pages, self.is_ragged = None, None, False
        lengths = request.get("lengths")
        if lengths is None:
            return
        self.lengths = self.memory.tensor(lengths["tensor"])
        values = set(lengths["values"])
        self.is_ragged = len(values) > 1
        if not self.is_ragged:
            (count,) = values
            self.key, self.value = self.key[:, :, :count], self.value[:, :, :count]
            self.offset = count - self.queries
        pages = request.get("pages")
        if pages is not None:
            self.pages = {name: self.memory.tensor(pages[name]) for name in pages}

    def refuse_cache(self, title, ragged=True, pages=True):
        """For a backend that does not take keys of several lengths, or pages."""
        if ragged and self.is_ragged:
            raise unsupported(f"{title} takes no keys of several lengths")
        if pages and self.pages is not None:
            raise unsupported(f"{title} takes no pages")

    @property
    def batch(self):
        return self.query.shape[0]

    @property
    def queries(self):
        return self.query.shape[2]

    @property
    def keys(self):
        return self.key.shape[2]

    @property
    def group(self):
        """Query heads for each key-value head."""
        return self.query.shape[1] // self.key.shape[1]

    @property
    def is_decoding(self):
        return self.offset > 0 or self.queries == 1 or self.lengths is not None

    def visible_keys(self):
        """The range of keys that any query sees."""
        return patterns.visible_keys(self.pattern, self.offset, self.queries, self.keys)

    def dense_bias(self, first_key=0, keys=None):
        keys = self.keys if keys is None else keys
        return patterns.dense_bias(
            self.pattern,
            self.offset,
            self.queries,
            first_key,
            keys,
            self.captures,
            self.query.dtype,
            self.device,
        )


class Attention:
    """A backend ready to run: `call(query, key, value)` gives the output.
    `context` is entered around runs; `remark` is for the reader of the row;
    `lists_seconds` is what making a block mask took; `backward_refusal` is why it has
    no gradients, where that is known."""

    def __init__(
        self,
        call,
        remark="",
        context=contextlib.nullcontext,
        lists_seconds=None,
        backward_refusal="",
    ):
        self.call = call
        self.remark = remark
        self.context = context
        self.lists_seconds = lists_seconds
        self.backward_refusal = backward_refusal


class Prepared:
    """A problem with its backend."""

    def __init__(self, problem, attention):
        import torch

        self.problem = problem
        self.attention = attention
        self.inputs = (problem.query, problem.key, problem.value)
        self.output = None  # with its graph, for the backward pass
        self.grad_out = None
        self.leaves = None
        start = time.perf_counter()
        with torch.no_grad(), attention.context():
            attention.call(*self.inputs)
            self.synchronize()
        self.first_run = time.perf_counter() - start

    def description(self):
        return {
            "first_run": self.first_run,
            "remark": self.attention.remark,
            "lists_seconds": self.attention.lists_seconds,
        }

    def synchronize(self):
        import torch

        if self.problem.device == "cuda":
            torch.cuda.synchronize()

    def run_into(self, out):
        import torch

        target = self.problem.memory.tensor(out)
        with torch.no_grad(), self.attention.context():
            target.copy_(self.attention.call(*self.inputs))
        self.synchronize()

    def prepare_backward(self, request):
        """Runs forward with a graph and backward once."""
        if self.attention.backward_refusal:
            raise unsupported(self.attention.backward_refusal)
        start = time.perf_counter()
        self.grad_out = self.problem.memory.tensor(request["grad_out"])
        self.leaves = [tensor.detach().requires_grad_() for tensor in self.inputs]
        with self.attention.context():
            self.output = self.attention.call(*self.leaves)
            self.backward()
        self.synchronize()
        return {"first_run": time.perf_counter() - start}

    def backward(self):
        import torch

        return torch.autograd.grad(
            self.output, self.leaves, self.grad_out, retain_graph=True
        )

    def run_backward_into(self, request):
        with self.attention.context():
            gradients = self.backward()
        for name, gradient in zip(("query", "key", "value"), gradients):
            self.problem.memory.tensor(request[f"grad_{name}"]).copy_(gradient)
        self.synchronize()

    def time(self, request):
        import torch

        if request["direction"] == "backward":
            with self.attention.context():
                return timing.turn(self.problem.device, self.backward, request)
        with torch.no_grad(), self.attention.context():
            run = lambda: self.attention.call(*self.inputs)  # noqa: E731
            return timing.turn(self.problem.device, run, request)

    def close(self):
        import torch

        memory, device = self.problem.memory, self.problem.device
        # Nothing may refer to the shared memory when it is closed.
        self.problem = self.attention = self.inputs = None
        self.output = self.grad_out = self.leaves = None
        if device == "cuda":
            torch.cuda.synchronize()
            torch.cuda.empty_cache()
        memory.close()


def _set_determinism(torch, deterministic):
    """Of the whole process: whether PyTorch's operations give the same bits on every
    run, or refuse to run."""
    if deterministic:
        # What cuBLAS, which reads it at its first call, needs for that.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(deterministic)
    # Else all new memory is filled first, which would be in the times.
    torch.utils.deterministic.fill_uninitialized_memory = False


def prepare(request):
    """Raises Refusal, or what the backend raises."""
    torch = import_torch()
    _set_determinism(torch, request["deterministic"])
    if request["device"] == "cuda" and not torch.cuda.is_available():
        raise unavailable("PyTorch sees no GPU")
    import backends

    make = backends.BACKENDS.get(request["backend"])
    if make is None:
        raise Refusal("failed", f"the worker has no backend '{request['backend']}'")
    problem = Problem(request)
    try:
        return Prepared(problem, make(problem))
    except Exception:
        problem.memory.close()
        raise
