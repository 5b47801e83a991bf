"""A plugin of pytest: tests of other projects call attn's flex_attention and create_block_mask.

What a test compiles is ours; the same functions called without torch.compile are torch's own, which tests compare
with, unless a test compiles nothing: then all calls are ours but those in float64. Of torch's own function it is the
definition that is called, with gradients by autograd, and where a test fails, the function as it is. Each test runs in
a process of its own, with a time limit. A line of JSON for each goes to $FLEX_TESTS_RESULTS.
"""

import collections
import functools
import inspect
import json
import os
import select
import signal
import sys
import time
import traceback
from unittest import mock

import attn
import torch
from _pytest.runner import runtestprotocol
from torch._higher_order_ops.flex_attention import sdpa_dense
from torch.nn.attention import flex_attention as of_torch
from torch.nn.attention.experimental._paged_attention import PagedAttention
from torch.testing._internal import common_device_type

SECONDS = float(os.environ.get("FLEX_TESTS_SECONDS", 120))
JOBS = int(os.environ.get("FLEX_TESTS_JOBS", 2))

_theirs = {name: getattr(of_torch, name) for name in ("flex_attention", "create_block_mask")}
attn.torch.install()
_ours = {name: getattr(of_torch, name) for name in _theirs}
_state = {"compiled": 0, "all": False, "dense": True}
calls = {"ours": 0, "theirs": 0, "masks": 0}
if not torch.cuda.is_available():
    # Torch's own function has gradients on the CPU, and refuses to give them; its tests want a GPU.
    of_torch._validate_device = lambda *_: None
    common_device_type.flex_attention_supported_platform = lambda function: function
    PagedAttention.__init__.__defaults__ = ("cpu",)


@functools.wraps(_theirs["flex_attention"])
def _flex_attention(query, *arguments, **named):
    is_ours = _state["compiled"] or _state["all"] and query.dtype != torch.float64
    calls["ours" if is_ours else "theirs"] += 1
    if is_ours:
        return _ours["flex_attention"](query, *arguments, **named)
    if not _state["dense"]:
        return _theirs["flex_attention"](query, *arguments, **named)
    # Its definition on whole matrices, which torch compiles for each call; that takes seconds.
    as_it_is = mock.patch.object(torch, "compile", lambda function, **_: function)
    with as_it_is, mock.patch.object(of_torch, "flex_attention_hop", sdpa_dense):
        return _theirs["flex_attention"](query, *arguments, **named)


@functools.wraps(_theirs["create_block_mask"])
def _create_block_mask(*arguments, **named):
    calls["masks"] += 1
    return _ours["create_block_mask"](*arguments, **named)


of_torch.flex_attention, of_torch.create_block_mask = _flex_attention, _create_block_mask


def compile(function=None, backend=None, **_):
    """Instead of torch.compile: the function as it is, in which flex_attention is ours; but not of a backend that is for
    comparisons."""
    if function is None:
        return lambda function: compile(function, backend)
    if backend in ("eager", "aot_eager"):
        return function

    @functools.wraps(function)
    def compiled(*arguments, **named):
        _state["compiled"] += 1
        try:
            return function(*arguments, **named)
        finally:
            _state["compiled"] -= 1

    return compiled


def _outcome(reports):
    """(outcome, text, where it was raised, all of it)."""
    for report in reports:
        if hasattr(report, "wasxfail") and report.outcome == "skipped":
            return "passed", "fails, as is expected", "", ""
        if report.outcome == "skipped":
            return "skipped", str(report.longrepr[2]), "", ""
        if report.outcome == "failed":
            crash = getattr(report.longrepr, "reprcrash", None)
            text = crash.message if crash else str(report.longrepr).strip().splitlines()[-1]
            return "failed", text, f"{crash.path}:{crash.lineno}" if crash else "", str(report.longrepr)
    return "passed", "", "", ""


def _function_of(item):
    """As its author wrote it, whatever its parameters."""
    return inspect.unwrap(getattr(item.function, "__func__", item.function))


def _run(item):
    started = time.monotonic()

    def attempt(**state):
        _state.update(state)
        calls.update(ours=0, theirs=0, masks=0)
        item._initrequest()
        return _outcome(runtestprotocol(item, log=False, nextitem=None))

    outcome = attempt(all=False, dense=True)
    if calls["theirs"] and not calls["ours"]:
        outcome = attempt(all=True)
    if calls["theirs"] and calls["ours"] and outcome[0] == "failed":
        outcome = attempt(dense=False)
    names = ("outcome", "text", "where", "log")
    seconds, source = round(time.monotonic() - started, 1), inspect.getsource(_function_of(item))
    return {**dict(zip(names, outcome)), "calls": calls, "seconds": seconds, "source": source}


class _Children:
    """Tests that run, each in a process that was forked with everything imported."""

    def __init__(self):
        self._running = {}  # by pipe: (test, process, deadline, what it wrote)

    def start(self, item):
        while len(self._running) >= JOBS:
            self.wait()
        reading, writing = os.pipe()
        sys.stdout.flush()
        process = os.fork()
        if process:
            os.close(writing)
            self._running[reading] = (item.nodeid, process, time.monotonic() + SECONDS, bytearray())
            return
        os.close(reading)
        torch.set_num_threads(1)
        try:
            result = _run(item)
        except BaseException:
            result = {"outcome": "failed", "text": traceback.format_exc(), "calls": calls}
        with os.fdopen(writing, "w") as file:
            json.dump(result, file)
        os._exit(0)

    def wait(self):
        """Until one of them has ended, or written something."""
        soonest = min(deadline for _, _, deadline, _ in self._running.values())
        ready, _, _ = select.select(list(self._running), [], [], max(0, soonest - time.monotonic()))
        for pipe in ready:
            piece = os.read(pipe, 1 << 16)
            self._running[pipe][3].extend(piece)
            if not piece:
                self._end(pipe)
        for pipe, (_, process, deadline, _) in list(self._running.items()):
            if time.monotonic() > deadline:
                os.kill(process, signal.SIGKILL)
                self._end(pipe, "too long")

    def _end(self, pipe, outcome="crashed"):
        name, process, _, written = self._running.pop(pipe)
        os.close(pipe)
        _, status = os.waitpid(process, 0)
        result = {"outcome": outcome, "text": f"status {status}", "calls": None}
        if outcome == "crashed" and status == 0:
            result = json.loads(written.decode())
        with open(os.environ["FLEX_TESTS_RESULTS"], "a") as file:
            file.write(json.dumps({"test": name, **result}) + "\n")
        print(f"{result['outcome']:8} {name}", flush=True)

    def wait_for_all(self):
        while self._running:
            self.wait()


_children = _Children()


def pytest_collection_modifyitems(items):
    """Those whose results are there are not run again. First one of each function, then a second one of each, ..., so
    that a run which is ended has seen something of all.
    """
    known, seen, places = set(), collections.Counter(), {}
    if os.path.exists(os.environ["FLEX_TESTS_RESULTS"]):
        with open(os.environ["FLEX_TESTS_RESULTS"]) as file:
            known = {json.loads(line)["test"] for line in file}
    for item in items:
        function = _function_of(item)
        places[item] = seen[function]
        seen[function] += 1
    items[:] = sorted((x for x in items if x.nodeid not in known), key=places.get)


def pytest_runtest_protocol(item, nextitem):
    _children.start(item)
    return True


def pytest_sessionfinish():
    _children.wait_for_all()
