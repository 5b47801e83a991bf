"""Values of a program while it is recorded, and what Python's operators mean for them.

A Value is a scalar of type "f32" (scores), "i32" (positions, integers, which wrap) or "i1" (conditions). Mixed operands
are promoted, i1 to i32 to f32. Signs and roundings of `//` and `%` are Python's.
"""

from functools import partial

from ._nodes import Node, RecordError, current, float_text, lifted_leaves

_RANK = {"i1": 0, "i32": 1, "f32": 2}
_NUMBER = (bool, int, float)


class NeedsConstant(BaseException):
    """A lifted number is asked for its value: the recording starts again with it as a constant.

    Not an Exception, so that a program's `except Exception` lets it pass.
    """

    def __init__(self, lifted):
        super().__init__(lifted)
        self.lifted = lifted


# What is known not to be negative is so where these lifted numbers are at least so much, none of them here; None: what
# is not known to be.
NATURAL = frozenset()


def both(x, y):
    """Where both values are natural."""
    return None if x.natural is None or y.natural is None else x.natural | y.natural


def either(x, y):
    """Where one of them is."""
    known = [v.natural for v in (x, y) if v.natural is not None]
    return min(known, key=len, default=None)


def make(type_, prefix, operands, suffix, natural=None):
    """The value of an operation."""
    return Value(type_, Node(prefix, tuple(o.node for o in operands), suffix), natural)


def as_number(x):
    """A number of Python for what is one, or of numpy or torch; None for anything else."""
    if isinstance(x, _NUMBER):
        return x
    recorded = isinstance(x, Value) or hasattr(type(x), "as_operand")
    if not recorded and getattr(x, "shape", None) == () and hasattr(x, "item"):
        recording = getattr(current, "recording", None)
        if recording is not None and hasattr(x, "__setitem__"):
            recording.note_contents(x)
        number = x.item()
        return number if isinstance(number, _NUMBER) else None
    return None


def constant(x):
    number = as_number(x)
    if isinstance(number, bool):
        return make("i1", f"arith.constant {str(number).lower()}", (), "", NATURAL)
    if isinstance(number, int):
        if not -(2**31) <= number < 2**31:
            raise RecordError(f"expects an integer that fits an i32, got {number}")
        return make("i32", f"arith.constant {number}", (), " : i32", NATURAL if number >= 0 else None)
    if isinstance(number, float):
        return make("f32", f"arith.constant {float_text(number)}", (), " : f32")
    raise RecordError(f"expects a value of the program or a number, got {describe(x)}")


def describe(x):
    shape = getattr(x, "shape", None)
    return f"an array of shape {tuple(shape)}: index it" if shape else f"'{type(x).__name__}'"


def as_value(x):
    scalar = getattr(type(x), "as_scalar_value", None)  # of a captured table without dimensions
    return x if isinstance(x, Value) else scalar(x) if scalar else constant(x)


# What is stored in fewer bits, by torch's and numpy's names: how it is rounded or wrapped, and read again.
_NARROW = {
    **dict.fromkeys(("float16", "half"), ("f32", "truncf", "f16", "extf")),
    "bfloat16": ("f32", "truncf", "bf16", "extf"),
    **dict.fromkeys(("int16", "short"), ("i32", "trunci", "i16", "extsi")),
    **dict.fromkeys(("int8", "char"), ("i32", "trunci", "i8", "extsi")),
    **dict.fromkeys(("uint8", "byte"), ("i32", "trunci", "i8", "extui")),
}
_KINDS = {
    **dict.fromkeys(("float", "float32", "float64", "double"), "f32"),
    **dict.fromkeys(("int", "int32", "int64", "long"), "i32"),
    "bool": "i1",
}


def type_named(dtype):
    """The name of a type of Python, numpy or torch."""
    name = getattr(dtype, "__name__", None) or getattr(dtype, "name", None) or str(dtype).rpartition(".")[2]
    if name not in _KINDS and name not in _NARROW:
        raise RecordError(f"expects to convert to {', '.join([*_KINDS, *_NARROW])}, got {name}")
    return name


def cast(x, dtype):
    """`x` as a type of Python, numpy or torch. float64 and int64 have 32 bits; what has fewer is rounded, or wraps."""
    name = type_named(dtype)
    if name in _KINDS:
        return convert(x, _KINDS[name])
    wide, narrow, element, widen = _NARROW[name]
    short = make(element, f"arith.{narrow} ", (as_value(convert(x, wide)),), f" : {wide} to {element}")
    return make(wide, f"arith.{widen} ", (short,), f" : {element} to {wide}", NATURAL if widen == "extui" else None)


def convert(x, type_):
    """`x` as `type_`: floats to integers rounded towards zero, numbers to conditions by `!= 0`."""
    number = as_number(x)
    if number is not None:
        if type_ != "i32" or not isinstance(number, float) or abs(number) < 2**31:
            return constant({"f32": float, "i32": int, "i1": bool}[type_](number))
    x = as_value(x)
    if x.kind == type_:
        return x
    if type_ == "i1":
        return compare("ne", x, 0)
    if x.kind == "i1":
        x = make("i32", "arith.extui ", (x,), " : i1 to i32", NATURAL)
    if type_ == "i32":
        return x if x.kind == "i32" else make("i32", "arith.fptosi ", (x,), " : f32 to i32")
    return make("f32", "arith.sitofp ", (x,), " : i32 to f32")


def type_of(x):
    number = as_number(x)
    if number is not None:
        return "i1" if isinstance(number, bool) else "i32" if isinstance(number, int) else "f32"
    return as_value(x).kind


def promote(*values, least="i1"):
    """All as the widest type among them, at least `least`."""
    type_ = max([least, *map(type_of, values)], key=_RANK.__getitem__)
    return type_, [convert(x, type_) for x in values]


def arithmetic(name, x, y):
    """addition, subtraction or multiplication: "add", "sub", "mul". Of two conditions "or" and "and", as of arrays."""
    if name != "sub" and type_of(x) == type_of(y) == "i1":
        return logic({"add": "or", "mul": "and"}[name], x, y)
    type_, (x, y) = promote(x, y, least="i32")
    natural = None if name == "sub" else both(x, y)
    return make(type_, f"arith.{name}{type_[0]} ", (x, y), f" : {type_}", natural)


def true_divide(x, y):
    _, (x, y) = promote(x, y, least="f32")
    return make("f32", "arith.divf ", (x, y), " : f32")


def floor_divide(x, y):
    """Rounded down, 0 for integers where y is 0. Of floats what `%` leaves, divided: a whole number."""
    type_, (x, y) = promote(x, y, least="i32")
    if type_ == "f32":
        whole = true_divide(arithmetic("sub", x, remainder(x, y)), y)
        return make("f32", "math.roundeven ", (whole,), " : f32")
    return make("i32", "arith.floordivsi ", (x, y), " : i32", both(x, y))


def remainder(x, y):
    """With the sign of y; for integers x where y is 0."""
    type_, (x, y) = promote(x, y, least="i32")
    if type_ == "i32":
        rest = arithmetic("sub", x, arithmetic("mul", floor_divide(x, y), y))
        # By 0 x remains.
        rest.natural = both(x, y) if y.positive is None else y.positive
        return rest
    rest = make("f32", "arith.remf ", (x, y), " : f32")
    other_sign = logic("xor", compare("lt", rest, 0.0), compare("lt", y, 0.0))
    wraps = logic("and", compare("ne", rest, 0.0), other_sign)
    return select(wraps, arithmetic("add", rest, y), rest)


def compare(name, x, y):
    """As a condition; comparisons with NaN are false but for "ne"."""
    least = "i1" if name in ("eq", "ne") else "i32"
    type_, (x, y) = promote(x, y, least=least)
    if type_ == "f32":
        predicate = "cmpf " + ("une" if name == "ne" else "o" + name)
    else:
        predicate = "cmpi " + (name if name in ("eq", "ne") else "s" + name)
    return make("i1", f"arith.{predicate}, ", (x, y), f" : {type_}", NATURAL)


def logic(name, x, y):
    """"and", "or" or "xor" of conditions, or of the bits of integers."""
    type_, (x, y) = promote(x, y)
    if type_ == "f32":
        symbol = {"and": "&", "or": "|", "xor": "^"}[name]
        raise RecordError(f"expects conditions or integers for '{symbol}', got a float")
    natural = either(x, y) if name == "and" else both(x, y)
    return make(type_, f"arith.{name}i ", (x, y), f" : {type_}", natural)


def shift(name, x, y):
    """"shl" or "shrs" of integers; by 32 or more it leaves 0, or the sign."""
    number = as_number(y)
    if number is not None and number < 0:
        raise RecordError(f"expects a shift by 0 or more, got {number}")
    type_, (x, y) = promote(x, y, least="i32")
    if type_ == "f32":
        raise RecordError("expects integers for a shift, got a float")
    return make("i32", f"arith.{name}i ", (x, y), " : i32", x.natural if name == "shrs" else None)


def power(x, y):
    """Which operation it is depends on the exponent: a lifted one is asked for its value."""
    if isinstance(y, Value) and lifted_leaves(y.node):
        raise NeedsConstant(lifted_leaves(y.node))
    exponent = as_number(y)
    if isinstance(exponent, int) and not isinstance(exponent, bool):
        return _whole_power(as_value(x), exponent)
    if exponent == 0.5:
        return make("f32", "math.sqrt ", (convert(x, "f32"),), " : f32")
    type_, (base, y) = promote(x, y, least="i32")
    if type_ == "i32":
        return make("i32", "math.ipowi ", (base, y), " : i32")
    if as_number(x) == 2:
        return make("f32", "math.exp2 ", (y,), " : f32")
    return make("f32", "math.powf ", (base, y), " : f32")


def _whole_power(x, exponent):
    """By squaring. Negative powers are floats, as in Python."""
    if exponent < 0:
        return true_divide(1, _whole_power(convert(x, "f32"), -exponent))
    x = convert(x, "i32") if x.kind == "i1" else x
    result = None
    while exponent:
        if exponent % 2:
            result = x if result is None else arithmetic("mul", result, x)
        exponent //= 2
        x = arithmetic("mul", x, x) if exponent else x
    return convert(1, x.kind) if result is None else result


def select(condition, x, y):
    """x where the condition holds, else y; both are computed."""
    condition = convert(condition, "i1")
    type_, (x, y) = promote(x, y)
    return make(type_, "arith.select ", (condition, x, y), f" : {type_}", both(x, y))


def divide(x, y, rounding_mode=None):
    """As torch.div: a float, or rounded "floor" or "trunc", of the operands' type."""
    if rounding_mode is None:
        return true_divide(x, y)
    if rounding_mode == "floor":
        return floor_divide(x, y)
    type_, (x, y) = promote(x, y, least="i32")
    if type_ == "i32":
        return make("i32", "arith.divsi ", (x, y), " : i32", both(x, y))
    return make("f32", "math.trunc ", (true_divide(x, y),), " : f32")


def truncated_remainder(x, y):
    """With the sign of x, as C's fmod."""
    type_, (x, y) = promote(x, y, least="i32")
    operation = "arith.remf " if type_ == "f32" else "arith.remsi "
    return make(type_, operation, (x, y), f" : {type_}", x.natural)


def negative(x):
    if type_of(x) == "f32":
        return make("f32", "arith.negf ", (as_value(x),), " : f32")
    return arithmetic("sub", 0, x)


def absolute(x):
    _, (x,) = promote(x, least="i32")
    # The least integer is its own magnitude, so an i32 is not known to be natural.
    return make(x.kind, f"math.abs{x.kind[0]} ", (x,), f" : {x.kind}", x.natural)


def invert(x):
    return logic("xor", x, True if type_of(x) == "i1" else -1)


def _binary(function, *first):
    def forward(self, other):
        return function(*first, self, other) if is_operand(other) else NotImplemented

    def reflected(self, other):
        return function(*first, other, self) if is_operand(other) else NotImplemented

    return forward, reflected


def is_operand(x):
    """Whether it is a scalar; rows have operators of their own."""
    return isinstance(x, Value) or (not x.ndim if hasattr(type(x), "as_operand") else as_number(x) is not None)


class Value:
    """A scalar of a program that is being recorded. It has a type but no value."""

    __slots__ = ("kind", "node", "natural")
    __hash__ = object.__hash__
    __array_priority__ = 1000
    shape, ndim, requires_grad = (), 0, False

    def __init__(self, kind, node, natural=None):
        self.kind, self.node, self.natural = kind, node, natural

    @property
    def positive(self):
        """As `natural`, for more than 0: of constants."""
        constant = self.node.prefix.startswith("arith.constant") and self.node.prefix != "arith.constant 0"
        return self.natural if constant else None

    def __repr__(self):
        return f"<{self.kind} of a program that is being recorded>"

    __add__, __radd__ = _binary(arithmetic, "add")
    __sub__, __rsub__ = _binary(arithmetic, "sub")
    __mul__, __rmul__ = _binary(arithmetic, "mul")
    __truediv__, __rtruediv__ = _binary(true_divide)
    __floordiv__, __rfloordiv__ = _binary(floor_divide)
    __mod__, __rmod__ = _binary(remainder)
    __divmod__, __rdivmod__ = _binary(lambda x, y: (floor_divide(x, y), remainder(x, y)))
    __pow__, __rpow__ = _binary(power)
    __and__, __rand__ = _binary(logic, "and")
    __or__, __ror__ = _binary(logic, "or")
    __xor__, __rxor__ = _binary(logic, "xor")
    __lshift__, __rlshift__ = _binary(shift, "shl")
    __rshift__, __rrshift__ = _binary(shift, "shrs")
    __eq__, _ = _binary(compare, "eq")
    __ne__, _ = _binary(compare, "ne")
    __lt__, _ = _binary(compare, "lt")
    __le__, _ = _binary(compare, "le")
    __gt__, _ = _binary(compare, "gt")
    __ge__, _ = _binary(compare, "ge")
    __neg__, __abs__, __invert__ = negative, absolute, invert

    def __pos__(self):
        return self

    # What a tensor without dimensions has besides. Other methods are functions of the same name.

    def dim(self):
        return 0

    def numel(self):
        return 1

    def size(self, dim=None):
        if dim is not None:
            raise RecordError("a value of a program is a scalar: it has no dimension")
        return ()

    def to(self, *what, dtype=None, **_):
        """As float, int or bool, or the like of numpy and torch, or as another value is; devices have no meaning."""
        for x in (*what, dtype):
            if isinstance(x, Value):
                return convert(self, x.kind)
            if x is not None and not isinstance(x, bool) and not is_device(x):
                return cast(self, x)
        return self

    astype = type = type_as = to

    def float(self):
        return convert(self, "f32")

    def int(self):
        return convert(self, "i32")

    def bool(self):
        return convert(self, "i1")

    def half(self):
        return cast(self, "half")

    def bfloat16(self):
        return cast(self, "bfloat16")

    double, long = float, int

    def new_full(self, size, value, *, dtype=None, **_):
        """The number `value`, as torch's masks make it of an index. `size` is ()."""
        if tuple(size) not in ((), (1,)):
            raise RecordError(f"expects the size (), got {tuple(size)}: a program has scalars")
        return convert(value, self.kind) if dtype is None else cast(value, dtype)

    def new_ones(self, size=(), **options):
        return self.new_full(size, 1, **options)

    def new_zeros(self, size=(), **options):
        return self.new_full(size, 0, **options)

    def new_tensor(self, value, **options):
        return self.new_full((), value, **options)

    def _same(self, *_, **__):
        return self

    contiguous = clone = cpu = cuda = squeeze = _same

    def unsqueeze(self, dim):
        from ._rows import Row

        return Row((1,), [self])

    def __getattr__(self, name):
        from ._calls import dtype_of, method_of

        if name.startswith("__"):
            raise AttributeError(name)
        return dtype_of(self, name) if name in ("dtype", "device") else method_of(self, name)

    # What asks for the value.

    def _refuse(self, message):
        lifted = lifted_leaves(self.node)
        if lifted:
            raise NeedsConstant(lifted)
        raise RecordError(message)

    def __bool__(self):
        self._refuse(
            "a condition has no value while the program is recorded: write '&', '|', '~' for 'and', 'or', 'not', "
            "attn.where(c, x, y) for 'if', '(a <= x) & (x < b)' for 'a <= x < b', attn.minimum and attn.maximum for "
            "min and max"
        )

    def __index__(self):
        self._refuse(
            "a position has no value while the program is recorded: to read an array at it write attn.table(array)[i]; "
            "range() and sizes take Python's integers"
        )

    def item(self):
        self._refuse("a value of a program is not there while it is recorded: compute with the value itself")

    tolist = numpy = item

    def __int__(self):
        self._refuse("int() needs a value, which is not there while the program is recorded: write attn.to_int(x)")

    def __float__(self):
        self._refuse(
            "float() and Python's math need a value, which is not there while the program is recorded: write "
            "attn.to_float(x), attn.exp(x)"
        )

    def __iter__(self):
        raise RecordError("a value of a program is a scalar: it cannot be iterated or unpacked")

    def __getitem__(self, index):
        raise RecordError("a value of a program is a scalar: it cannot be indexed")

    def __round__(self, digits=None):
        if digits:
            raise RecordError(f"expects round() to a whole number, got {digits} digits")
        return convert(self._rounded("roundeven"), "i32")

    def __floor__(self):
        return convert(self._rounded("floor"), "i32")

    def __ceil__(self):
        return convert(self._rounded("ceil"), "i32")

    def __trunc__(self):
        return convert(self._rounded("trunc"), "i32")

    def _rounded(self, name):
        return make("f32", f"math.{name} ", (self,), " : f32") if self.kind == "f32" else self

    # What numpy and torch ask of an operand of their functions.

    def __array__(self, *_, **__):
        self.__index__()

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        from ._calls import call

        return call(ufunc.__name__, inputs, options if method == "__call__" else {"method": method})

    def __array_function__(self, function, types, inputs, options):
        from ._calls import call

        return call(function.__name__, inputs, options)

    @classmethod
    def __torch_function__(cls, function, types, inputs=(), options=None):
        from ._calls import call_torch

        return call_torch(function, inputs, options or {})


def is_device(x):
    return type(x).__name__ == "device" or (isinstance(x, str) and x.partition(":")[0] in ("cpu", "cuda", "meta"))
