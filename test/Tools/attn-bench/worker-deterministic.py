# RUN: %python %s %source/bench/worker | FileCheck %s
# CHECK: gradients are deterministic, or refused
"""What bench/worker does where gradients must have the same bits on every run, with a
PyTorch and a FlashAttention that only write down what they are told."""

import os
import sys
import types

sys.path.insert(0, sys.argv[1])

calls = []
deterministic = types.SimpleNamespace(fill_uninitialized_memory=True)
sys.modules["torch"] = types.SimpleNamespace(
    __version__="2",
    use_deterministic_algorithms=calls.append,
    utils=types.SimpleNamespace(deterministic=deterministic),
)

import flash
import pattern as patterns
import problem as problems
import refusal


class Tensor:
    """Has the shape of anything."""

    def transpose(self, *_):
        return self

    def __getitem__(self, _):
        return self


def run(q, k, v, softmax_scale=None, causal=False, deterministic=False):
    calls.append(deterministic)
    return q


def old(q, k, v, softmax_scale=None, causal=False):
    return q


def attention_by(function, is_deterministic):
    problem = types.SimpleNamespace(
        pattern=patterns.parse("causal"),
        scale=0.5,
        keys=8,
        is_decoding=False,
        deterministic=is_deterministic,
        refuse_cache=lambda title: None,
    )
    package = types.SimpleNamespace(flash_attn_func=function)
    return flash._dense_or_packed(problem, package, flash._options(problem))


def taken(function, is_deterministic):
    calls.clear()
    attention_by(function, is_deterministic).call(Tensor(), Tensor(), Tensor())
    return calls


assert taken(run, False) == [False]
assert taken(run, True) == [True]

# One that cannot has no gradients, but its forward pass.
assert taken(old, True) == []
prepared = problems.Prepared.__new__(problems.Prepared)
prepared.attention = attention_by(old, True)
try:
    prepared.prepare_backward({})
except refusal.Refusal as reason:
    assert reason.kind == "unsupported", reason
    assert str(reason) == "the installed old takes no 'deterministic'", reason
else:
    raise AssertionError("takes gradients that are not deterministic")
assert attention_by(old, False).backward_refusal == ""

# PyTorch as a whole; without filling what is allocated, which would be in the times.
calls.clear()
os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)
problems._set_determinism(sys.modules["torch"], False)
assert "CUBLAS_WORKSPACE_CONFIG" not in os.environ
problems._set_determinism(sys.modules["torch"], True)
assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
assert calls == [False, True] and not deterministic.fill_uninitialized_memory

# What has no such algorithm is no fault.
missing = RuntimeError("cumsum does not have a deterministic implementation, but you set ...")
assert refusal.refusal_for(missing).kind == "unsupported"
print("gradients are deterministic, or refused")
