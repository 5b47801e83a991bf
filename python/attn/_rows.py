"""Short rows of values, whose operations are unrolled: `(blocks[b, h] == kv // 64).any()`."""

import functools
import itertools
import math
import operator

from ._nodes import RecordError, current
from ._values import Value, convert, describe, is_operand, logic, promote

_BINARY = "add sub mul truediv floordiv mod pow and or xor lshift rshift eq ne lt le gt ge".split()
_NAMES = {"and": operator.and_, "or": operator.or_}
_COMPARISONS = {"eq", "ne", "lt", "le", "gt", "ge"}


def with_operators(class_):
    """A class whose `as_operand()` is a value or a Row, with Python's operators."""

    for name in _BINARY:
        function = _NAMES.get(name) or getattr(operator, name)
        setattr(class_, f"__{name}__", functools.partialmethod(_binary, function))
        if name not in _COMPARISONS:
            setattr(class_, f"__r{name}__", functools.partialmethod(_reflected, function))
    for name in ("neg", "pos", "abs", "invert"):
        setattr(class_, f"__{name}__", functools.partialmethod(_unary, getattr(operator, name)))
    for name in ("bool", "index", "float", "int", "round", "floor", "ceil", "trunc"):
        setattr(class_, f"__{name}__", functools.partialmethod(_asked, f"__{name}__"))
    class_.__matmul__ = lambda self, other: dot(self, other)
    class_.__rmatmul__ = lambda self, other: dot(other, self)
    class_.__hash__ = object.__hash__
    return class_


def _binary(self, function, other):
    return elementwise(function, self, other)


def _reflected(self, function, other):
    return elementwise(function, other, self)


def _unary(self, function):
    return elementwise(function, self)


def _asked(self, name):
    return getattr(type(operand(self)), name)(operand(self))


def operand(x):
    """A value, a number or a Row, of anything that a program may compute with."""
    if hasattr(type(x), "as_operand"):
        return x.as_operand()
    if is_operand(x):
        return x
    if isinstance(getattr(x, "shape", None), tuple) and hasattr(x, "tolist"):
        return _row_of_contents(x)
    if isinstance(x, (list, tuple)) and x:
        return stack([operand(y) for y in x])
    raise RecordError(f"expects a value of the program or a number, got {describe(x)}")


def _row_of_contents(array):
    """Of an array that the program has made, or that it did not capture, whose elements are constants."""
    shape = tuple(array.shape)
    if not Row.fits(shape):
        raise _too_long(shape, "an array")
    recording = getattr(current, "recording", None)
    if recording:
        recording.note_contents(array)
    elements = array.tolist()
    for _ in shape[1:]:
        elements = [x for row in elements for x in row]
    return Row(shape, elements)


def elementwise(function, *operands):
    """`function` of values, for each element of rows, which are broadcast."""
    operands = [operand(x) for x in operands]
    shapes = [getattr(x, "shape", ()) if isinstance(x, Row) else () for x in operands]
    if not any(isinstance(x, Row) for x in operands):
        return function(*operands)
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(s)) + tuple(s) for s in shapes]
    shape = tuple(max(sizes) if 0 not in sizes else 0 for sizes in zip(*padded))
    for given, own in zip(shapes, padded):
        if any(n not in (1, m) for n, m in zip(own, shape)):
            raise RecordError(f"expects rows of one shape, got {' and '.join(map(str, shapes))}")
    return Row(shape, [function(*(_at(x, own, at) for x, own in zip(operands, padded))) for at in _positions(shape)])


def _positions(shape):
    return itertools.product(*map(range, shape))


def _at(x, shape, at):
    """The element of a row, padded to `shape`, at a position of what it is broadcast to."""
    if not isinstance(x, Row):
        return x
    index = 0
    for i, n in zip(at, shape):
        index = index * n + (i if n > 1 else 0)
    return x.items[index]


@with_operators
class Row:
    """Values of a program, one for each position of a shape."""

    MOST = 16  # elements, each of which is an operation
    __array_priority__ = 1000

    def __init__(self, shape, items):
        self.shape, self.items = tuple(shape), list(items)
        if not Row.fits(self.shape):
            raise _too_long(self.shape, "a row")

    @staticmethod
    def count(shape):
        return math.prod(shape)

    @staticmethod
    def fits(shape):
        return math.prod(shape) <= Row.MOST

    @classmethod
    def of(cls, array, name):
        """The elements of a table."""
        shape = tuple(array.shape)
        if not cls.fits(shape):
            raise _too_long(shape, f"'{name}'")
        return cls(shape, [array[at] for at in _positions(shape)])

    __array_ufunc__ = Value.__array_ufunc__
    __array_function__ = Value.__array_function__
    __torch_function__ = Value.__torch_function__

    def as_operand(self):
        return self

    @property
    def ndim(self):
        return len(self.shape)

    def dim(self):
        return self.ndim

    def size(self, dim=None):
        return self.shape if dim is None else self.shape[dim]

    def numel(self):
        return len(self.items)

    def __len__(self):
        return self.shape[0]

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index):
        index = index if isinstance(index, tuple) else (index,)
        if not all(isinstance(i, (int, slice)) for i in index) or len(index) > self.ndim:
            raise RecordError(f"expects integers or slices as indices of a row of shape {self.shape}")
        chosen = [range(n)[i] for i, n in itertools.zip_longest(index, self.shape, fillvalue=slice(None))]
        ranges = [c if isinstance(c, range) else (c,) for c in chosen]
        items = [_at(self, self.shape, at) for at in itertools.product(*ranges)]
        shape = tuple(len(c) for c in chosen if isinstance(c, range))
        return Row(shape, items) if shape else items[0]

    def unsqueeze(self, dim):
        at = dim if dim >= 0 else dim + self.ndim + 1
        return Row((*self.shape[:at], 1, *self.shape[at:]), self.items)

    def squeeze(self, dim=None):
        at = None if dim is None else dim % self.ndim
        shape = tuple(n for i, n in enumerate(self.shape) if n != 1 or (at is not None and i != at))
        return Row(shape, self.items) if shape else self.items[0]

    def reduce(self, function, first, dim=None, keepdim=False):
        """`function` of elements one after another, along dimensions; `first` of none."""
        dims = range(self.ndim) if dim is None else [d % self.ndim for d in (dim if isinstance(dim, tuple) else (dim,))]
        kept = [range(n) if d not in dims else (None,) for d, n in enumerate(self.shape)]
        items = []
        for at in itertools.product(*kept):
            along = [range(n) if i is None else (i,) for i, n in zip(at, self.shape)]
            values = [_at(self, self.shape, x) for x in itertools.product(*along)]
            items.append(functools.reduce(function, values) if values else first)
        shape = tuple(1 if d in dims else n for d, n in enumerate(self.shape) if keepdim or d not in dims)
        return Row(shape, items) if shape else items[0]

    def __getattr__(self, name):
        from ._calls import method_of

        if name.startswith("__"):
            raise AttributeError(name)
        return method_of(self, name)


def _too_long(shape, what):
    elements = f"{math.prod(shape)} elements of {what}"
    return RecordError(
        f"expects rows of at most {Row.MOST} elements, which are unrolled, got {elements}. What is a dot product of "
        "rows is one of query and key, with these rows as channels behind their own"
    )


def stack(values):
    """Values one behind another."""
    rows = [operand(x) for x in values]
    if any(isinstance(x, Row) for x in rows):
        shapes = {x.shape if isinstance(x, Row) else () for x in rows}
        if len(shapes) > 1:
            raise RecordError(f"expects rows of one shape, got {' and '.join(map(str, shapes))}")
        return Row((len(rows), *shapes.pop()), [y for x in rows for y in x.items])
    return Row((len(rows),), rows)


def dot(x, y):
    """The sum of products of two rows."""
    x, y = operand(x), operand(y)
    if not (isinstance(x, Row) and isinstance(y, Row) and x.shape == y.shape and x.ndim == 1):
        raise RecordError("expects two rows of one length for a dot product")
    return total(elementwise(operator.mul, x, y))


def total(x, dim=None, keepdim=False, dtype=None):
    """The sum; of conditions how many hold."""
    x = operand(x)
    if not isinstance(x, Row):
        return promote(x, least="i32")[1][0]
    x = elementwise(lambda value: promote(value, least="i32")[1][0], x)
    return x.reduce(operator.add, 0, dim, keepdim)


def product(x, dim=None, keepdim=False, dtype=None):
    x = elementwise(lambda value: promote(value, least="i32")[1][0], x)
    return x.reduce(operator.mul, 1, dim, keepdim) if isinstance(x, Row) else x


def mean(x, dim=None, keepdim=False, dtype=None):
    x = operand(x)
    sum_ = total(x, dim, keepdim)
    count = len(x.items) // len(sum_.items) if isinstance(sum_, Row) else len(getattr(x, "items", [0]))
    return elementwise(operator.truediv, sum_, count)


def any_of(x, dim=None, keepdim=False):
    return _conditions(x, "or", False, dim, keepdim)


def all_of(x, dim=None, keepdim=False):
    return _conditions(x, "and", True, dim, keepdim)


def _conditions(x, name, first, dim, keepdim):
    x = elementwise(lambda value: convert(value, "i1"), x)
    return x.reduce(functools.partial(logic, name), first, dim, keepdim) if isinstance(x, Row) else x


def extremum(of_two):
    """The least or greatest of a row, or of two operands element by element, as torch.min and torch.max."""

    def function(x, other=None, keepdim=False, *, dim=None):
        if other is not None and not isinstance(other, int):
            return elementwise(of_two, x, other)
        if other is not None or dim is not None:
            raise RecordError("expects no dimension for min and max, which would give indices: amin and amax take one")
        return along(of_two)(x)

    return function


def along(of_two):
    """amin and amax."""

    def function(x, dim=None, keepdim=False):
        x = operand(x)
        return x.reduce(of_two, None, dim, keepdim) if isinstance(x, Row) else x

    return function
