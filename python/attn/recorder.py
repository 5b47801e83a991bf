"""Score and mask programs that are Python functions, as the text of an attn.mod.

    def alibi(score, b, h, q, kv):
        return score + slopes[h] * (kv - q)

    recorded = attn.mod_source(alibi, lambda b, h, q, kv: q >= kv)
    recorded.text, recorded.captures

A function is called once, with values that stand for a score and its position; what it computes from them is recorded.
docs/PythonMods.md says what can be recorded. Needs neither numpy nor torch.
"""

import threading
from typing import NamedTuple

from ._closures import rebuild
from ._functions import *  # noqa: F403
from ._functions import PUBLIC
from ._guards import Guards
from ._nodes import ARGUMENTS, Capture, Node, RecordError, Writer, place_of
from ._values import NeedsConstant, Value, arithmetic, as_number, as_value, compare, convert, describe, make, select

__all__ = ["Recorded", "RecordError", "Table", "Value", "mod_source", "table", *PUBLIC]

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
_TYPESTRINGS.update({"u1": "uint8", "b1": "bool", "f8": "float64"})
_current = threading.local()


class CapturedValue(NamedTuple):
    """What a launch takes: an array, a number, or the size of an array."""

    name: str
    value: object
    type: str  #: as the mod declares it: "tensor<?xf32>", "i32"

    @property
    def is_scalar(self):
        return not self.type.startswith("tensor")


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


def is_array(x):
    """Modules, too, may have a `shape` and a `dtype`: numpy has."""
    return isinstance(getattr(x, "shape", None), tuple) and hasattr(x, "dtype") and not isinstance(x, (Table, Value))


def _is_on_gpu(x):
    return getattr(getattr(x, "device", None), "type", None) == "cuda"


def table(array, name=None):
    """An array that a program reads: `table(x)[b, h]`, `table(x)[b][h]`.

    `array` has `shape` and `dtype` (numpy's, torch's), or numpy's `__array_interface__`. Arrays in a program's closure,
    defaults and globals need no call. An integer that may be negative counts from the end.
    """
    return array if isinstance(array, Table) else Table(array, name)


class Table:
    """A captured array, of which the indices so far are known."""

    def __init__(self, array, name=None, indices=()):
        interface = getattr(array, "__array_interface__", None)
        if interface is None and not is_array(array):
            raise RecordError(f"expects an array with a shape and a dtype, got {describe(array)}")
        self.array, self.name, self.indices = array, name, indices
        self._whole_shape = tuple(array.shape if hasattr(array, "shape") else interface["shape"])

    @property
    def shape(self):
        recording = getattr(_current, "recording", None)
        if recording:
            recording.require_shape(self)
        return self._whole_shape[len(self.indices) :]

    @property
    def ndim(self):
        return len(self._whole_shape) - len(self.indices)

    @property
    def dtype(self):
        return self.array.dtype

    def __len__(self):
        return self.shape[0]

    def size(self, dimension=None):
        return self.shape if dimension is None else self.shape[dimension]

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index):
        index = tuple(self._one(i) for i in (index if isinstance(index, tuple) else (index,)))
        if len(index) > self.ndim:
            raise RecordError(f"expects at most {self.ndim} indices of '{self.name or 'table'}', got {len(index)}")
        if self.ndim > len(index):
            return Table(self.array, self.name, self.indices + index)
        recording = getattr(_current, "recording", None)
        indices = self.indices + index
        if recording:
            return recording.load(self, indices)
        return self.array[indices]

    def _one(self, index):
        name = self.name or "table"
        if isinstance(index, slice) or index is None or index is Ellipsis:
            message = f"expects an integer for each index of '{name}', got a slice: a program reads one element"
            raise RecordError(message)
        number = as_number(index)
        if isinstance(number, int) and not isinstance(number, bool):
            return number
        index = as_value(index)
        if index.type != "i32":
            kind = "condition" if index.type == "i1" else "float"
            raise RecordError(f"expects integers as indices of '{name}', got a {kind}: attn.to_int(x) converts it")
        return index

    def as_scalar_value(self):
        """Its only element, where all indices are given."""
        if self.ndim:
            rest = f"{self.ndim} more of '{self.name or 'table'}'"
            raise RecordError(f"expects an index for each dimension, {rest}: a program has scalars, no rows")
        return self[()]

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        raise RecordError(
            f"'{name}' of the array '{self.name or 'table'}' cannot be recorded: a program reads single elements, by "
            "an index for each dimension"
        )

    def _as_operand(name):  # noqa: N805
        def operator(self, *others):
            return getattr(as_value(self), name)(*others)

        return operator

    for _name in (
        "add radd sub rsub mul rmul truediv rtruediv floordiv rfloordiv mod rmod pow rpow and rand or ror xor rxor "
        "lshift rlshift rshift rrshift eq ne lt le gt ge neg abs invert bool index float int"
    ).split():
        locals()[f"__{_name}__"] = _as_operand(f"__{_name}__")
    del _name, _as_operand
    __hash__ = object.__hash__
    __array_ufunc__ = Value.__array_ufunc__
    __torch_function__ = Value.__torch_function__


class _Recording:
    """One call of record(): what its programs have captured so far, and what that relied on."""

    def __init__(self, lift, constants):
        self.lift, self.constants, self.arrays, self.scalars = lift, constants, {}, {}
        self.guards, self._sources, self._shapes = Guards(), {}, set()

    def replace(self, value, name, source, is_global):
        """For rebuild(): tables for arrays, captured scalars for numbers that are lifted."""
        if isinstance(value, Table):
            self.guards.require(f"type({source}) is {self.guards.name(Table)}")
            if value.indices:
                self.guards.refuse()
            self._array(value.array, f"{source}.array")
            return value if value.name else Table(value.array, name, value.indices)
        # numpy's scalars are numbers; an array without dimensions can be written to.
        if is_array(value) and (hasattr(value, "__setitem__") or getattr(value, "shape") != ()):
            self._array(value, source)
            return Table(value, name)
        if self.lift and not is_global and source not in self.constants:
            type_ = {int: "i32", float: "f32"}.get(type(value))
            if type_ == "i32" and -(2**31) <= value < 2**31:
                self.guards.require(f"type({source}) is int and -0x80000000 <= {source} < 0x80000000")
            elif type_ == "f32":
                self.guards.require(f"type({source}) is float")
            else:
                return None
            return Value(type_, Node("", capture=self._scalar(name or "scalar", type_, value, source, True)))
        return None

    def _array(self, array, source):
        """Its metadata, but for sizes, which are seldom asked for."""
        known, _ = self._sources.setdefault(id(array), (source, array))
        if known != source:
            self.guards.require(f"{source} is {known}")
            return
        type_, dtype = self.guards.name(type(array)), self.guards.name(array.dtype)
        self.guards.require(f"type({source}) is {type_} and {source}.dtype == {dtype}")
        self.guards.require(f"len({source}.shape) == {len(array.shape)}")
        if not array.shape:  # which decides how its number is read
            self.guards.require(f"{self.guards.name(_is_on_gpu)}({source}) is {_is_on_gpu(array)}")

    def _source(self, array):
        """None for an array that the program made or found in a way that is not seen."""
        source = self._sources.get(id(array), (None,))[0]
        if source is None:
            self.guards.refuse()
        return source

    def require_shape(self, read):
        source = self._source(read.array)
        if source is not None and source not in self._shapes:
            self._shapes.add(source)
            self.guards.require(f"{source}.shape == {tuple(read._whole_shape)!r}")

    def _scalar(self, name, type_, value, source, lifted=False):
        if source is None or source not in self.scalars:
            self.scalars[source] = Capture(name, type_, 0, value, source, lifted)
        return self.scalars[source]

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
        if key not in self.arrays:
            self.arrays[key] = Capture(name, element, len(indices), read.array, self._source(read.array))
        capture = self.arrays[key]
        if not indices and _is_on_gpu(read.array):
            capture.type = f"tensor<{element}>"  # whose number the host does not wait for
            value = Value(element, Node(f"attn.load %%[] : {capture.type}", capture=capture))
        elif not indices:
            value = Value(element, Node("", capture=capture))
        else:
            indices = [self._index(read, d, i).node for d, i in enumerate(indices)]
            value = Value(element, Node("attn.load %%[", tuple(indices), f"] : {capture.type}", capture=capture))
        if operation:
            value = make(type_, operation, (value,), f" : {element} to {type_}", dtype == "uint8")
        value.natural = dtype in ("uint8", "bool")
        return value

    def _index(self, read, dimension, index):
        """Counted from the end where it is negative."""
        number = as_number(index)
        size, source = read._whole_shape[dimension], self._source(read.array)
        if number is not None:
            if not -size <= number < size:
                name = read.name or "table"
                raise RecordError(f"expects an index of '{name}' from {-size} to {size - 1}, got {number}")
            self.guards.require(f"{source}.shape[{dimension}] >= {max(number + 1, -number)}")
        index = as_value(index)
        if index.natural:
            return index
        of_size = f"{source or id(read.array)}.shape[{dimension}]"
        capture = self._scalar(f"{read.name or 'table'}_size{dimension}", "i32", size, of_size)
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


def _record(score_mod, mask_mod, name, recording):
    writer = Writer()
    outer, _current.recording = getattr(_current, "recording", None), recording
    try:
        for function, keyword, type_ in ((score_mod, "score", "f32"), (mask_mod, "mask", "i1")):
            if function is not None:
                _program(writer, recording, function, keyword, type_)
            else:
                recording.guards.require(f"{keyword} is None")
    finally:
        _current.recording = outer
    text = writer.finish(name, place_of(score_mod if score_mod is not None else mask_mod))
    captures = tuple(CapturedValue(writer.names[id(c)], c.value, c.type) for c in writer.captures)
    match = None
    if recording.guards.complete:
        match = recording.guards.matcher(("score", "mask"), [c.source for c in writer.captures])
    return Recorded(text, captures), match


def _program(writer, recording, function, keyword, result_type):
    types = {"s": "f32", **dict.fromkeys(ARGUMENTS[1:], "i32")}
    names = ARGUMENTS if keyword == "score" else ARGUMENTS[1:]
    place, program = place_of(function), object()
    arguments = [Value(types[n], Node(n, program=program), types[n] == "i32") for n in names]
    result = rebuild(function, keyword, recording.replace, recording.guards)(*arguments)
    text = ", ".join(f"%{n}: {types[n]}" for n in names)
    writer.add_program(keyword, text, program, _result(result, result_type, place).node, result_type, place)


def _result(result, type_, place):
    expected = "a score" if type_ == "f32" else "a condition"
    try:
        result = as_value(result)
    except RecordError as error:
        got = "None" if result is None else describe(result)
        raise RecordError(f"expects the program to return {expected}, got {got}", place) from error
    if type_ == "i1" and result.type != "i1":
        kind = "an integer: compare it" if result.type == "i32" else "a float: compare it"
        raise RecordError(f"expects the program to return {expected}, got {kind}", place)
    if type_ == "f32" and result.type == "i1":
        raise RecordError(f"expects the program to return {expected}, got a condition: attn.where(c, score, y)", place)
    return convert(result, type_)
