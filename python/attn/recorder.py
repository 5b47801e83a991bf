"""Score and mask programs that are Python functions, as the text of an attn.mod.

    def alibi(score, b, h, q, kv):
        return score + slopes[h] * (kv - q)

    recorded = attn.mod_source(alibi, lambda b, h, q, kv: q >= kv)
    recorded.text, recorded.captures

A function is called once, with values that stand for a score and its position; what it computes from them is recorded.
docs/PythonMods.md says what can be recorded. Needs neither numpy nor torch.
"""

import contextlib
import re
import sys
from typing import NamedTuple

from ._calls import register_function
from ._closures import rebuild
from ._functions import *  # noqa: F403
from ._functions import PUBLIC
from ._guards import Guards, Unconditional
from ._lifted import Lifted
from ._nodes import ARGUMENTS, Capture, GivenProgram, Node, RecordError, Writer, current, place_in, place_of
from ._tables import Table, is_array, table
from ._values import (
    NATURAL,
    NeedsConstant,
    Value,
    arithmetic,
    as_number,
    as_value,
    compare,
    convert,
    describe,
    make,
    select,
)

__all__ = ["Recorded", "RecordError", "Table", "Value", "mod_source", "register_function", "table", *PUBLIC]

# Element types of captures: what they are in the mod, as a value, and by which operation.
_ELEMENTS = {
    "float32": ("f32", "f32", None),
    "float16": ("f16", "f32", "arith.extf "),
    "bfloat16": ("bf16", "f32", "arith.extf "),
    "int32": ("i32", "i32", None),
    "int64": ("i64", "i32", "arith.trunci "),
    "int16": ("i16", "i32", "arith.extsi "),
    "int8": ("i8", "i32", "arith.extsi "),
    "uint8": ("i8", "i32", "arith.extui "),
    "bool": ("i1", "i1", None),
}
_TYPESTRINGS = {"f4": "float32", "f2": "float16", "i4": "int32", "i8": "int64", "i2": "int16", "i1": "int8"}
_OWN_TYPES = re.compile(r"\b(Value|Table|Row|Lifted)\b")
_TYPESTRINGS.update({"u1": "uint8", "b1": "bool", "f8": "float64"})


class CapturedValue(NamedTuple):
    """What a launch takes: an array, a number, or the size of an array."""

    name: str
    value: object
    type: str  #: as the mod declares it: "tensor<?xf32>", "i32"

    @property
    def is_scalar(self):
        return not self.type.startswith("tensor")


def is_on_gpu(x):
    return getattr(getattr(x, "device", None), "type", None) == "cuda"


class Recorded(NamedTuple):
    """A mod, and what its programs capture, in the order in which a launch takes it."""

    text: str
    captures: tuple

    @property
    def arrays(self):
        return tuple(c for c in self.captures if not c.is_scalar)

    @property
    def scalars(self):
        return tuple(c for c in self.captures if c.is_scalar)


class _Recording:
    """One call of record(): what its programs have captured so far, and what that relied on."""

    def __init__(self, lift, constants, guards=None):
        self.lift, self.constants, self.guards = lift, constants, guards or Guards()
        self._arrays, self._scalars, self._made, self._derived = {}, {}, {}, {}  # by id; source; id; expression
        self._sources, self._types, self._shapes = {}, set(), set()

    def replace(self, value, name, source, is_global):
        """For rebuild(): tables for arrays, captured scalars for numbers that are lifted."""
        if isinstance(value, Table):
            self.guards.require(f"type({source}) is {self.guards.name(Table)}")
            if not value.is_whole:
                self.guards.refuse()
            self._array(value.array, name, f"{source}.array")
            return value.named(name)
        # numpy's scalars are numbers; an array without dimensions can be written to.
        if is_array(value) and (hasattr(value, "__setitem__") or getattr(value, "shape") != ()):
            self._array(value, name, source)
            return Table(value, name)
        if self.lift and not is_global and source not in self.constants and type(value) in (int, float):
            return Lifted(value, source, frozenset([source]), name or "scalar", self)
        return None

    def _array(self, array, name, source):
        """Its metadata, but for sizes, which are seldom asked for."""
        known, *_ = self._sources.setdefault(id(array), (source, name, array))
        if known != source:
            self.guards.require(f"{source} is {known}")
            return
        self.require_type(source, type(array))
        dtype, rank = self.guards.name(array.dtype), len(array.shape)
        self.guards.require(f"{source}.dtype == {dtype} and len({source}.shape) == {rank}")
        if not array.shape:  # which decides how its number is read
            self.guards.require(f"{self.guards.name(is_on_gpu)}({source}) is {is_on_gpu(array)}")

    def source(self, array):
        """None for an array that the program made or found in a way that is not seen."""
        source = self._sources.get(id(array), (None,))[0]
        if source is None:
            self.guards.refuse()
        return source

    def name_of(self, array):
        return self._sources.get(id(array), (None, None))[1]

    def make(self, array):
        """Notes an array that the program makes of constants."""
        self._made[id(array)] = array

    def is_made(self, array):
        return id(array) in self._made

    def number(self, number, name, source):
        """A number that is always captured, as it is when a kernel is called."""
        type_ = "i32" if isinstance(number, int) or type(number).__name__ == "SymInt" else "f32"
        return Value(type_, Node("", capture=self.scalar(name, type_, number, source)))

    def derived(self, source, make):
        """`make(place)`, once for one expression."""
        if source not in self._derived:
            self._derived[source] = make(self.guards.let(source))
        return self._derived[source]

    def note_contents(self, array):
        """What is in an array is read now: a recording of it serves once, unless the program makes the array."""
        if not self.is_made(array):
            self.guards.refuse()

    def require_type(self, source, type_):
        if (source, type_) not in self._types:
            self._types.add((source, type_))
            self.guards.require(f"type({source}) is {self.guards.name(type_)}")

    def require_shape(self, read):
        source = self.source(read.array)
        if source is not None and source not in self._shapes:
            self._shapes.add(source)
            self.guards.require(f"{source}.shape == {read.whole_shape!r}")

    def scalar(self, name, type_, value, source, leaves=frozenset()):
        """The capture of a number."""
        if source not in self._scalars:
            if type_ == "i32" and leaves:
                self.guards.require(f"-0x80000000 <= {source} < 0x80000000")
            self._scalars[source] = Capture(name, type_, 0, value, source, leaves)
        return self._scalars[source]

    def load(self, read, indices):
        """An element as a value."""
        name = read.name or "table"
        dtype = getattr(read.array, "dtype", None) or _TYPESTRINGS.get(read.array.__array_interface__["typestr"][1:])
        dtype = getattr(dtype, "name", None) or str(dtype).rpartition(".")[2]
        if dtype not in _ELEMENTS:
            known = ", ".join(_ELEMENTS)
            raise RecordError(f"expects elements of '{name}' of {known}, got {dtype}: convert the array")
        element, type_, operation = _ELEMENTS[dtype]
        key = id(read.array)
        if key not in self._arrays:
            self._arrays[key] = Capture(name, element, len(indices), read.array, self.source(read.array))
        capture = self._arrays[key]
        if not indices and is_on_gpu(read.array):
            capture.type = f"tensor<{element}>"  # whose number the host does not wait for
            value = Value(element, Node(f"attn.load %%[] : {capture.type}", capture=capture))
        elif not indices:
            value = Value(element, Node("", capture=capture))
        else:
            indices = [self._index(read, d, i).node for d, i in enumerate(indices)]
            value = Value(element, Node("attn.load %%[", tuple(indices), f"] : {capture.type}", capture=capture))
        if operation:
            value = make(type_, operation, (value,), f" : {element} to {type_}")
        value.natural = NATURAL if dtype in ("uint8", "bool") else None
        return value

    def _index(self, read, dimension, index):
        """Counted from the end where it is negative."""
        number = as_number(index)
        size, source = read.whole_shape[dimension], self.source(read.array)
        if number is not None:
            if not -size <= number < size:
                raise read.out_of_range(size, number)
            self.guards.require(f"{source}.shape[{dimension}] >= {max(number + 1, -number)}")
        index = as_value(index)
        if index.natural is not None:
            for source, least in index.natural:
                self.guards.require(f"{source} >= {least}")
            return index
        of_size = f"{source or id(read.array)}.shape[{dimension}]"
        capture = self.scalar(f"{read.name or 'table'}_size{dimension}", "i32", size, of_size)
        behind = arithmetic("add", index, Value("i32", Node("", capture=capture)))
        return behind if number is not None else select(compare("lt", index, 0), behind, index)


def mod_source(score_mod=None, mask_mod=None, *, name="recorded", lift=False):
    """The mod of `score_mod(score, b, h, q, kv)`, of `mask_mod(b, h, q, kv)`, or of both, as `Recorded`.

    The text depends on the functions, on types and ranks of what they capture, and on numbers, but on no contents or
    sizes of arrays that a program does not ask for. `lift` makes numbers of closures, defaults and partials captured
    scalars, so that one text serves all their values; f32 and i32 then. Numbers whose values a program needs (range(),
    if, sizes) stay constants.

    Raises RecordError, a TypeError whose text begins with file, line and column of the user's function.
    """
    return record(score_mod, mask_mod, name, lift)[0]


def record(score_mod, mask_mod, name, lift):
    """(Recorded, match): `match(score_mod, mask_mod)` gives the captured values of functions whose recording would have
    the same text, None (or whatever error) for others; it is None itself where that cannot be told."""
    if score_mod is None and mask_mod is None:
        raise RecordError("expects a score_mod, a mask_mod or both")
    constants = set()
    while True:
        try:
            return _record(score_mod, mask_mod, name, _Recording(lift, frozenset(constants)))
        except NeedsConstant as needs:
            constants |= needs.lifted
        except Exception:
            if not lift:
                raise
            lift = False  # a program may want numbers of Python's own types, as isinstance() and torch.full() do


def record_given(score, mask, name):
    """The same of two GivenProgram, one of which may be None, whose operands have the types, ranks and devices that
    they have now whenever `match(score, mask)` is called: it gives what their sources are of its arguments."""
    return _record(score, mask, name, _Recording(False, frozenset(), Unconditional()))


def _record(score_mod, mask_mod, name, recording):
    writer = Writer()
    outer, current.recording = getattr(current, "recording", None), recording
    try:
        with _calls_seen_by(recording):
            for function, keyword, type_ in ((score_mod, "score", "f32"), (mask_mod, "mask", "i1")):
                if function is not None:
                    _program(writer, recording, function, keyword, type_)
                else:
                    recording.guards.require(f"{keyword} is None")
    finally:
        current.recording = outer
    text = writer.finish(name, place_of(score_mod if score_mod is not None else mask_mod))
    captures = tuple(CapturedValue(writer.names[id(c)], c.value, c.type) for c in writer.captures)
    match = None
    if recording.guards.complete:
        match = recording.guards.matcher(("score", "mask"), [c.source for c in writer.captures])
    return Recorded(text, captures), match


def _calls_seen_by(recording):
    if "torch" not in sys.modules:
        return contextlib.nullcontext()
    from ._torch import Seen

    return Seen(recording)


def _program(writer, recording, function, keyword, result_type):
    types = {"s": "f32", **dict.fromkeys(ARGUMENTS[1:], "i32")}
    names = ARGUMENTS if keyword == "score" else ARGUMENTS[1:]
    place, program = place_of(function), object()
    arguments = [Value(types[n], Node(n, program=program), NATURAL if types[n] == "i32" else None) for n in names]
    if isinstance(function, GivenProgram):
        program_of_values = function.for_recording(recording)
    else:
        program_of_values = rebuild(function, keyword, recording.replace, recording.guards)
    try:
        result = program_of_values(*arguments)
    except TypeError as error:
        if isinstance(error, RecordError) or not _OWN_TYPES.search(str(error)):
            raise
        message = f"a value of a program is neither a number nor a tensor here: {str(error).splitlines()[0]}"
        raise RecordError(message, place_in(error.__traceback__)) from error
    text = ", ".join(f"%{n}: {types[n]}" for n in names)
    writer.add_program(keyword, text, program, _result(result, result_type, place).node, result_type, place)


def _result(result, type_, place):
    expected = "a score" if type_ == "f32" else "a condition"
    try:
        result = as_value(result)
    except RecordError as error:
        got = "None" if result is None else describe(result)
        raise RecordError(f"expects the program to return {expected}, got {got}", place) from error
    if type_ == "i1" and result.kind != "i1":
        kind = "an integer: compare it" if result.kind == "i32" else "a float: compare it"
        raise RecordError(f"expects the program to return {expected}, got {kind}", place)
    if type_ == "f32" and result.kind == "i1":
        raise RecordError(f"expects the program to return {expected}, got a condition: attn.where(c, score, y)", place)
    return convert(result, type_)
