"""Functions in graphs of torch.compile: dynamo traces them as it traces those of torch's own flex_attention.

The graph that it makes has one call of `attend`, whose programs are graphs of their own, and what they capture is among
the operands: dynamo's conditions decide when another graph is needed. Called, with real tensors or those of whoever
traces the graph, `attend` records these programs and calls the operator attn::forward.
"""

import re
import weakref

import torch
from torch._dynamo.variables import higher_order_ops
from torch._ops import HigherOrderOperator
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import _disable_current_modes

from .._library import Error
from .._nodes import GivenProgram, current
from .._recordings import recorded
from ..mod import Mod, line_of
from ..recorder import Table, Value, record_given
from ._ops import in_graph
from ._plans import check_operands
from ._programs import PLAIN
from .block_mask import seen_in_graph


def attention(query, key, value, score_mod, block_mask, positions, scale, enable_gqa, lse):
    """(out, lse or an empty tensor) of a call of flex_attention() that dynamo traces; positions: (query_offset,
    lengths, query_starts, key_starts, pages)."""
    check_operands(query, key, value, enable_gqa, positions[4] is not None)
    is_mod, mask_mod = isinstance(score_mod, Mod), None
    if block_mask is not None:
        has_others = any([x is not None for x in positions])
        mask_mod = seen_in_graph(block_mask, query, key, has_others)
    if query.shape[0] != key.shape[0] and positions[4] is None:
        key, value = (x.expand(query.shape[0], -1, -1, -1) for x in (key, value))
    query, key, value = (x if x.stride(-1) == 1 else x.contiguous() for x in (query, key, value))
    if is_mod and mask_mod is not None:
        raise Error("expects a Mod, which may have a mask, or a block_mask, got both")
    if is_mod and score_mod.line is None:
        raise Error("expects a Mod without positions in a graph, which a call's query_offset and lengths give it")
    if is_mod or (score_mod is None and mask_mod is None):
        line = score_mod.line if is_mod else PLAIN
        values = [score_mod.values[name] for name in score_mod.own_names] if is_mod else []
        return in_graph(query, key, value, line, values, positions, scale, enable_gqa, lse)
    options = {"has_score": score_mod is not None, "has_mask": mask_mod is not None}
    options.update(enable_gqa=enable_gqa, lse=lse)
    like = query.new_empty((), dtype=torch.float32)
    rest = (query, *positions, _no_mask if mask_mod is None else mask_mod)
    return attend(like, key, value, _no_score if score_mod is None else score_mod, rest, scale, options)


def _no_score(score, b, h, q, kv):
    return score


def _no_mask(b, h, q, kv):
    return q == q


_PLACE = re.compile(r'File "(.+)", line (\d+)')


class _Attend(HigherOrderOperator):
    def __init__(self):
        super().__init__("attn_attend")

    @torch.compiler.disable
    def __call__(self, like, key, value, score, rest, scale, options, score_operands=(), mask_operands=()):
        """(out, lse) as attn::forward. The arguments are in the places of those of torch's flex_attention: of `like`
        dynamo makes a score, float32; rest: (query, query_offset, lengths, query_starts, key_starts, pages, mask_mod);
        options: what is constant. Behind them is what the programs capture.
        """
        query, *positions, mask = rest
        if isinstance(score, torch.fx.GraphModule):
            score, mask = _Program(score, score_operands, "score"), _Program(mask, mask_operands, "mask")
        score, mask = score if options["has_score"] else None, mask if options["has_mask"] else None
        line, values = _recorded(score, mask)
        return in_graph(query, key, value, line, values, positions, scale, options["enable_gqa"], options["lse"])


attend = _Attend()


class _Program(GivenProgram):
    """A graph of dynamo's, whose inputs are the program's arguments, and `operands`."""

    def __init__(self, graph, operands, name):
        self.graph, self.operands, self.name = graph, operands, name

    @property
    def place(self):
        nodes = self.graph.graph.nodes
        return next(filter(None, map(_place_of, nodes)), ("graph", 1, 1))

    def for_recording(self, recording):
        names = [n.target for n in self.graph.graph.nodes if n.op == "placeholder"][-len(self.operands) :]
        sources = [f"{self.name}[{i}]" for i in range(len(self.operands))]
        captured = [_captured(recording, *given) for given in zip(self.operands, names, sources)]
        return lambda *arguments: _Interpreter(self.graph, recording).run(*arguments, *captured)


def _captured(recording, operand, name, source):
    if isinstance(operand, torch.Tensor) and not _is_float_of_python(operand):
        return recording.replace(operand, name, source, False)
    return recording.number(operand, name, source)


def _is_float_of_python(tensor):
    """Which may be a tensor for dynamo, whose item() is a node of the graph."""
    return tensor.dtype is torch.float64 and not tensor.dim() and tensor.device.type == "cpu"


def _place_of(node):
    """Of the user's code that a node was made of."""
    found = _PLACE.findall(node.stack_trace or "")
    return (found[-1][0], int(found[-1][1]), 1) if found else None


class _Interpreter(torch.fx.Interpreter):
    """Runs a graph with values of a program."""

    def __init__(self, graph, recording):
        super().__init__(graph)
        self.extra_traceback, self._recording = False, recording

    def run(self, *inputs):
        try:
            return super().run(*inputs)
        finally:
            current.place = None

    def run_node(self, node):
        current.place = _place_of(node) or getattr(current, "place", None)
        return super().run_node(node)

    def call_method(self, target, inputs, options):
        if target == "size" and isinstance(inputs[0], Table):
            sizes = [self._size_of(inputs[0], d, n) for d, n in enumerate(inputs[0].shape)]
            return sizes[inputs[1]] if len(inputs) > 1 else tuple(sizes)
        if target == "item" and isinstance(inputs[0], Value):
            return inputs[0]
        return super().call_method(target, inputs, options)

    def _size_of(self, table, dimension, size):
        """A captured number, unless dynamo's conditions say what it is."""
        if isinstance(size, int):
            return size
        name, source = f"{table.name}_size{dimension}", f"{self._recording.source(table.array)}.shape[{dimension}]"
        return self._recording.number(size, name, source)

    def get_attr(self, target, inputs, options):
        constant = super().get_attr(target, inputs, options)
        if not isinstance(constant, torch.Tensor):
            return constant
        return self._recording.replace(constant, target, self._recording.guards.name(constant), False)


_kept = weakref.WeakKeyDictionary()  # by graph of the score, of the mask, and layout of operands: (line, match)


def _recorded(score, mask):
    """(line, values) of two programs, one of which may be None. A graph is recorded once for types, ranks and devices
    of its operands, and which of them are one: its conditions, which are dynamo's, say the rest."""
    programs = [p for p in (score, mask) if p]
    if not isinstance(programs[0], _Program):  # where a graph broke, since a function could not be traced
        program, values = recorded(score, mask)
        return line_of(program.text), [x if isinstance(x, (int, float)) else torch.as_tensor(x) for x in values]
    of_graph = _kept.setdefault(programs[0].graph, weakref.WeakKeyDictionary()).setdefault(programs[-1].graph, {})
    layout = _layout_of([x for p in programs for x in p.operands])
    operands = [p.operands if p else () for p in (score, mask)]
    if layout in of_graph:
        line, match = of_graph[layout]
        return line, match(*operands)
    with _disable_current_modes():
        made, match = record_given(score, mask, "recorded")
    line = line_of(made.text)
    if match is not None:
        of_graph[layout] = line, match
    return line, [c.value for c in made.captures]


def _layout_of(operands):
    who = [id(x) for x in operands]
    return tuple(
        [
            (x.dtype, x.dim(), x.device, who.index(id(x))) if isinstance(x, torch.Tensor) else _is_float(x)
            for x in operands
        ]
    )


def _is_float(x):
    return isinstance(x, (float, torch.SymFloat))


class _Indices(TorchFunctionMode):
    """While dynamo traces a program: a tensor without dimensions among indices is no number, which dynamo would ask
    for. Which element it is says nothing about the shape."""

    def __torch_function__(self, function, types, inputs=(), options=None):
        if function is torch.Tensor.__getitem__:
            index = inputs[1] if isinstance(inputs[1], tuple) else (inputs[1],)
            inputs = (inputs[0], tuple([0 if isinstance(i, torch.Tensor) and not i.dim() else i for i in index]))
        return function(*inputs, **(options or {}))


def _know():
    """Tells dynamo that `attend` has functions where torch's own flex_attention has them."""
    known = getattr(higher_order_ops, "_hop_name_to_variable_class", None)
    if known is None:  # of another torch, where functions break the graph
        return

    class Variable(higher_order_ops.FlexAttentionHigherOrderVariable):
        def create_wrapped_node(self, *given):
            with _Indices():
                return super().create_wrapped_node(*given)

    known[attend.__name__] = Variable


_know()
