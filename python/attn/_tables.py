"""Captured arrays of a program, of which the indices so far are known."""

import sys
from typing import NamedTuple

from ._nodes import RecordError, current
from ._rows import Row, with_operators
from ._values import Value, as_number, as_value, cast, describe, is_device, type_named


class _Open(NamedTuple):
    """A dimension without an index: a slice."""

    start: int
    step: int
    size: int


def is_array(x):
    """Modules, too, may have a `shape` and a `dtype`: numpy has."""
    own = isinstance(x, (Table, Row, Value))
    return not own and isinstance(getattr(x, "shape", None), tuple) and hasattr(x, "dtype")


def table(array, name=None):
    """An array that a program reads: `table(x)[b, h]`, `table(x)[b][h]`.

    `array` has `shape` and `dtype` (numpy's, torch's), or numpy's `__array_interface__`. Arrays in a program's closure,
    defaults and globals need no call. An integer that may be negative counts from the end.
    """
    if "torch" in sys.modules and sys.modules["torch"].compiler.is_dynamo_compiling():
        return array  # which dynamo can index
    return array if isinstance(array, Table) else Table(array, name)


@with_operators
class Table:
    """An array, or what some indices leave of it."""

    def __init__(self, array, name=None, taken=None, type_=None):
        """`taken`: for each dimension an index, or _Open. `type_`: what its elements are converted to."""
        interface = getattr(array, "__array_interface__", None)
        if interface is None and not is_array(array):
            raise RecordError(f"expects an array with a shape and a dtype, got {describe(array)}")
        self.array, self.name, self._type = array, name, type_
        self.whole_shape = tuple(array.shape if hasattr(array, "shape") else interface["shape"])
        self._taken = taken or tuple(_Open(0, 1, n) for n in self.whole_shape)

    def named(self, name):
        """The same, called so if it has no name."""
        return self if self.name else Table(self.array, name, self._taken, self._type)

    @property
    def is_whole(self):
        return self._type is None and self._taken == tuple(_Open(0, 1, n) for n in self.whole_shape)

    def _open(self):
        return [t for t in self._taken if isinstance(t, _Open)]

    @property
    def shape(self):
        recording = getattr(current, "recording", None)
        if recording:
            recording.require_shape(self)
        return tuple(t.size for t in self._open())

    @property
    def ndim(self):
        return len(self._open())

    @property
    def dtype(self):
        return self.array.dtype

    @property
    def device(self):
        return self.array.device

    def __len__(self):
        return self.shape[0]

    def dim(self):
        return self.ndim

    def size(self, dim=None):
        return self.shape if dim is None else self.shape[dim]

    def numel(self):
        return Row.count(self.shape)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index):
        index = list(index) if isinstance(index, tuple) else [index]
        if Ellipsis in [i for i in index if i is Ellipsis]:
            at = next(n for n, i in enumerate(index) if i is Ellipsis)
            index[at : at + 1] = [slice(None)] * (self.ndim - len(index) + 1)
        if len(index) > self.ndim:
            raise RecordError(f"expects at most {self.ndim} indices of '{self._name}', got {len(index)}")
        index, taken = iter(index), list(self._taken)
        for at, opened in enumerate(taken):
            if isinstance(opened, _Open):
                taken[at] = self._one(next(index, slice(None)), opened)
        rest = Table(self.array, self.name, tuple(taken), self._type)
        return rest if rest.ndim else rest.as_scalar_value()

    def _one(self, index, opened):
        """An index, or the slice of a slice."""
        whole = opened.start == 0 and opened.step == 1
        if isinstance(index, slice):
            if index == slice(None):
                return opened
            self.shape  # which the slice depends on
            chosen = range(opened.size)[index]
            return _Open(opened.start + opened.step * chosen.start, opened.step * chosen.step, len(chosen))
        if index is None:
            raise RecordError(f"expects integers or slices as indices of '{self._name}', got None")
        number = as_number(index)
        if isinstance(number, int) and not isinstance(number, bool):
            if whole:
                return number
            if not -opened.size <= number < opened.size:
                raise self.out_of_range(opened.size, number)
            return opened.start + opened.step * range(opened.size)[number]
        index = as_value(index)
        if index.kind != "i32":
            kind = "condition" if index.kind == "i1" else "float"
            hint = "attn.to_int(x) converts it"
            raise RecordError(f"expects integers as indices of '{self._name}', got a {kind}: {hint}")
        return index if whole else index * opened.step + opened.start

    def out_of_range(self, size, number):
        return RecordError(f"expects an index of '{self._name}' from {-size} to {size - 1}, got {number}")

    @property
    def _name(self):
        return self.name or "table"

    def as_scalar_value(self):
        """Its only element, where all indices are given."""
        if self.ndim:
            rest = f"{self.ndim} more of '{self._name}'"
            raise RecordError(f"expects an index for each dimension, {rest}: a program has scalars and short rows")
        recording = getattr(current, "recording", None)
        if recording is None:
            return self.array[self._taken]
        value = recording.load(self, self._taken)
        return value if self._type is None else cast(value, self._type)

    def as_operand(self):
        """A value, or the elements of a short row."""
        return Row.of(self, self._name) if self.ndim else self.as_scalar_value()

    def to(self, *what, dtype=None, **_):
        """Converted element by element; devices have no meaning."""
        types = [type_named(x) for x in (dtype, *what) if x is not None and not is_device(x)]
        return Table(self.array, self.name, self._taken, types[-1] if types else self._type)

    def float(self):
        return self.to("float")

    def int(self):
        return self.to("int")

    long = int

    def bool(self):
        return self.to("bool")

    def contiguous(self):
        return self

    clone = cpu = cuda = contiguous

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        from ._calls import method_of, refuse_method

        if self.ndim == 0 or Row.fits(self._sizes()):
            return method_of(self.as_operand(), name)
        refuse_method(
            name,
            f"'{name}' of the array '{self._name}' cannot be recorded: a program reads single elements, by an index "
            f"for each dimension, and rows of at most {Row.MOST}",
        )

    def _sizes(self):
        return tuple(t.size for t in self._open())

    __hash__ = object.__hash__
    __array_ufunc__ = Value.__array_ufunc__
    __array_function__ = Value.__array_function__
    __torch_function__ = Value.__torch_function__
