"""Numbers of closures, which a program captures instead of holding them as constants.

What Python computes of such numbers alone is computed by Python, for each call anew: `window // 2` and `8.0 / heads`
are captured numbers like `window`, with all digits that Python gives them. Only where they meet a value of the program
do they become scalars of the mod, i32, f32 or i1.
"""

import math
import operator

from ._nodes import Capture, Node, RecordError
from ._values import NeedsConstant, Value

_SYMBOLS = {
    **{"add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**", "lshift": "<<"},
    **{"rshift": ">>", "and": "&", "or": "|", "xor": "^"},
    **{"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="},
}
_MIRRORED = {"eq": "eq", "ne": "ne", "lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}
_KINDS = {bool: "i1", int: "i32", float: "f32"}


class Lifted(Value):
    """A number, by its source and, while this recording lasts, its value."""

    __slots__ = ("number", "source", "leaves", "name", "recording", "_node")

    def __init__(self, number, source, leaves, name, recording):
        """`leaves`: the sources of the numbers that it is computed from."""
        self.number, self.source, self.leaves, self.name = number, source, leaves, name
        self.recording, self._node = recording, None

    @property
    def kind(self):
        type_ = type(self.number)
        self.recording.require_type(self.source, type_)
        return _KINDS[type_]

    @property
    def node(self):
        if self._node is None:
            kind = self.kind
            if kind == "i32" and not -(2**31) <= self.number < 2**31:
                raise RecordError(f"expects an integer that fits an i32, got {self.number}")
            self._node = Node("", capture=self.recording.scalar(self.name, kind, self.number, self.source, self.leaves))
        return self._node

    @property
    def natural(self):
        return frozenset([(self.source, 0)]) if self.number >= 0 else None

    @property
    def positive(self):
        return frozenset([(self.source, 1)]) if type(self.number) is int and self.number >= 1 else None

    def derived(self, number, source, leaves=frozenset()):
        """What Python makes of it, at each call."""
        if type(number) not in _KINDS:
            self.as_constant()
        name = self.name if self.name.startswith("of_") else f"of_{self.name}"
        leaves = self.leaves | leaves
        return self.recording.derived(source, lambda place: Lifted(number, place, leaves, name, self.recording))

    def as_constant(self):
        """Starts the recording again, with the numbers that this is computed from as constants."""
        raise NeedsConstant(self.leaves)

    def _refuse(self, message):
        self.as_constant()

    def __hash__(self):
        self.as_constant()

    def __round__(self, digits=None):
        return self.derived(round(self.number, digits), f"round({self.source}, {digits!r})")


def _operator(name, symbol):
    function, of_values = getattr(operator, f"__{name}__"), getattr(Value, f"__{name}__")

    mirrored = getattr(Value, f"__{_MIRRORED.get(name)}__", None)

    def forward(self, other):
        if type(other) in _KINDS:
            text = f"{self.source} {symbol} {self.recording.guards.number(other)}"
            return self.derived(function(self.number, other), text)
        if type(other) is Lifted:
            text = f"{self.source} {symbol} {other.source}"
            return self.derived(function(self.number, other.number), text, other.leaves)
        # Python asks the class that is derived first: `q < window` comes here, as `window > q`.
        return mirrored(other, self) if mirrored and type(other) is Value else of_values(self, other)

    return forward


def _reflected(name, symbol):
    function, of_values = getattr(operator, f"__{name}__"), getattr(Value, f"__r{name}__")

    def reflected(self, other):
        if type(other) in _KINDS:
            text = f"{self.recording.guards.number(other)} {symbol} {self.source}"
            return self.derived(function(other, self.number), text)
        return of_values(self, other)

    return reflected


def _unary(function, text):
    return lambda self: self.derived(function(self.number), text.format(self.source))


for _name, _symbol in _SYMBOLS.items():
    setattr(Lifted, f"__{_name}__", _operator(_name, _symbol))
    if hasattr(Value, f"__r{_name}__"):
        setattr(Lifted, f"__r{_name}__", _reflected(_name, _symbol))
for _name, _text in {"neg": "-{}", "pos": "+{}", "invert": "~{}", "abs": "abs({})"}.items():
    setattr(Lifted, f"__{_name}__", _unary(getattr(operator, f"__{_name}__"), _text))
for _name in ("floor", "ceil", "trunc"):
    setattr(Lifted, f"__{_name}__", _unary(getattr(math, _name), f"{{}}.__{_name}__()"))
