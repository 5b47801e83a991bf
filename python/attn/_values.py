"""Values of a program while it is recorded, and what Python's operators mean for them.

A Value is a scalar of type "f32" (scores), "i32" (positions, integers, which wrap) or "i1" (conditions). Mixed operands
are promoted, i1 to i32 to f32. Signs and roundings of `//` and `%` are Python's.
"""

from functools import partial

from ._nodes import Node, RecordError, float_text, lifted_leaves

_RANK = {"i1": 0, "i32": 1, "f32": 2}
_NUMBER = (bool, int, float)


class NeedsConstant(BaseException):
    """A lifted number is asked for its value: the recording starts again with it as a constant.

    Not an Exception, so that a program's `except Exception` lets it pass.
    """

    def __init__(self, lifted):
        super().__init__(lifted)
        self.lifted = lifted


def make(type_, prefix, operands, suffix, natural=False):
    """The value of an operation; `natural` says that it is known not to be negative."""
    return Value(type_, Node(prefix, tuple(o.node for o in operands), suffix), natural)


def as_number(x):
    """A number of Python for what is one, or of numpy or torch; None for anything else."""
    if isinstance(x, _NUMBER):
        return x
    recorded = isinstance(x, Value) or hasattr(type(x), "as_scalar_value")
    if not recorded and getattr(x, "shape", None) == () and hasattr(x, "item"):
        number = x.item()
        return number if isinstance(number, _NUMBER) else None
    return None


def constant(x):
    number = as_number(x)
    if isinstance(number, bool):
        return make("i1", f"arith.constant {str(number).lower()}", (), "", True)
    if isinstance(number, int):
        if not -(2**31) <= number < 2**31:
            raise RecordError(f"expects an integer that fits an i32, got {number}")
        return make("i32", f"arith.constant {number}", (), " : i32", number >= 0)
    if isinstance(number, float):
        return make("f32", f"arith.constant {float_text(number)}", (), " : f32")
    raise RecordError(f"expects a value of the program or a number, got {describe(x)}")


def describe(x):
    shape = getattr(x, "shape", None)
    return f"an array of shape {tuple(shape)}: index it" if shape else f"'{type(x).__name__}'"


def as_value(x):
    scalar = getattr(type(x), "as_scalar_value", None)  # of a captured table without dimensions
    return x if isinstance(x, Value) else scalar(x) if scalar else constant(x)


def convert(x, type_):
    """`x` as `type_`: floats to integers rounded towards zero, numbers to conditions by `!= 0`."""
    number = as_number(x)
    if number is not None:
        if type_ != "i32" or not isinstance(number, float) or abs(number) < 2**31:
            return constant({"f32": float, "i32": int, "i1": bool}[type_](number))
    x = as_value(x)
    if x.type == type_:
        return x
    if type_ == "i1":
        return compare("ne", x, 0)
    if x.type == "i1":
        x = make("i32", "arith.extui ", (x,), " : i1 to i32", True)
    if type_ == "i32":
        return x if x.type == "i32" else make("i32", "arith.fptosi ", (x,), " : f32 to i32")
    return make("f32", "arith.sitofp ", (x,), " : i32 to f32")


def type_of(x):
    number = as_number(x)
    if number is not None:
        return "i1" if isinstance(number, bool) else "i32" if isinstance(number, int) else "f32"
    return as_value(x).type


def promote(*values, least="i1"):
    """All as the widest type among them, at least `least`."""
    type_ = max([least, *map(type_of, values)], key=_RANK.__getitem__)
    return type_, [convert(x, type_) for x in values]


def arithmetic(name, x, y):
    """addition, subtraction or multiplication: "add", "sub", "mul"."""
    type_, (x, y) = promote(x, y, least="i32")
    natural = name != "sub" and x.natural and y.natural
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
    return make("i32", "arith.floordivsi ", (x, y), " : i32", x.natural and y.natural)


def remainder(x, y):
    """With the sign of y; for integers x where y is 0."""
    type_, (x, y) = promote(x, y, least="i32")
    if type_ == "i32":
        rest = arithmetic("sub", x, arithmetic("mul", floor_divide(x, y), y))
        rest.natural = y.natural and (x.natural or is_positive_constant(y))
        return rest
    rest = make("f32", "arith.remf ", (x, y), " : f32")
    other_sign = logic("xor", compare("lt", rest, 0.0), compare("lt", y, 0.0))
    wraps = logic("and", compare("ne", rest, 0.0), other_sign)
    return select(wraps, arithmetic("add", rest, y), rest)


def is_positive_constant(x):
    return x.natural and x.node.prefix.startswith("arith.constant") and x.node.prefix != "arith.constant 0"


def compare(name, x, y):
    """As a condition; comparisons with NaN are false but for "ne"."""
    least = "i1" if name in ("eq", "ne") else "i32"
    type_, (x, y) = promote(x, y, least=least)
    if type_ == "f32":
        predicate = "cmpf " + ("une" if name == "ne" else "o" + name)
    else:
        predicate = "cmpi " + (name if name in ("eq", "ne") else "s" + name)
    return make("i1", f"arith.{predicate}, ", (x, y), f" : {type_}", True)


def logic(name, x, y):
    """"and", "or" or "xor" of conditions, or of the bits of integers."""
    type_, (x, y) = promote(x, y)
    if type_ == "f32":
        symbol = {"and": "&", "or": "|", "xor": "^"}[name]
        raise RecordError(f"expects conditions or integers for '{symbol}', got a float")
    natural = (x.natural or y.natural) if name == "and" else (x.natural and y.natural)
    return make(type_, f"arith.{name}i ", (x, y), f" : {type_}", natural)


def shift(name, x, y):
    """"shl" or "shrs" of integers; by 32 or more it leaves 0, or the sign."""
    number = as_number(y)
    if number is not None and number < 0:
        raise RecordError(f"expects a shift by 0 or more, got {number}")
    type_, (x, y) = promote(x, y, least="i32")
    if type_ == "f32":
        raise RecordError("expects integers for a shift, got a float")
    return make("i32", f"arith.{name}i ", (x, y), " : i32", name == "shrs" and x.natural)


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
    x = convert(x, "i32") if x.type == "i1" else x
    result = None
    while exponent:
        if exponent % 2:
            result = x if result is None else arithmetic("mul", result, x)
        exponent //= 2
        x = arithmetic("mul", x, x) if exponent else x
    return convert(1, x.type) if result is None else result


def select(condition, x, y):
    """x where the condition holds, else y; both are computed."""
    condition = convert(condition, "i1")
    type_, (x, y) = promote(x, y)
    return make(type_, "arith.select ", (condition, x, y), f" : {type_}", x.natural and y.natural)


def negative(x):
    if type_of(x) == "f32":
        return make("f32", "arith.negf ", (as_value(x),), " : f32")
    return arithmetic("sub", 0, x)


def absolute(x):
    _, (x,) = promote(x, least="i32")
    # The least integer is its own magnitude, so an i32 is not known to be natural.
    return make(x.type, f"math.abs{x.type[0]} ", (x,), f" : {x.type}", x.natural)


def invert(x):
    return logic("xor", x, True if type_of(x) == "i1" else -1)


def _binary(function, *first):
    def forward(self, other):
        return function(*first, self, other) if is_operand(other) else NotImplemented

    def reflected(self, other):
        return function(*first, other, self) if is_operand(other) else NotImplemented

    return forward, reflected


def is_operand(x):
    return isinstance(x, Value) or hasattr(type(x), "as_scalar_value") or as_number(x) is not None


def _type_named(dtype):
    name = getattr(dtype, "__name__", None) or getattr(dtype, "name", None) or str(dtype).rpartition(".")[2]
    types = {"float": "f32", "float32": "f32", "int": "i32", "int32": "i32", "int64": "i32", "bool": "i1"}
    if name not in types:
        raise RecordError(f"expects to convert to float, int or bool, of 32 bits, got {name}")
    return types[name]


class Value:
    """A scalar of a program that is being recorded. It has a type but no value."""

    __slots__ = ("type", "node", "natural")
    __hash__ = object.__hash__
    shape, ndim = (), 0

    def __init__(self, type_, node, natural=False):
        self.type, self.node, self.natural = type_, node, natural

    def __repr__(self):
        return f"<{self.type} of a program that is being recorded>"

    __add__, __radd__ = _binary(arithmetic, "add")
    __sub__, __rsub__ = _binary(arithmetic, "sub")
    __mul__, __rmul__ = _binary(arithmetic, "mul")
    __truediv__, __rtruediv__ = _binary(true_divide)
    __floordiv__, __rfloordiv__ = _binary(floor_divide)
    __mod__, __rmod__ = _binary(remainder)
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
    abs = absolute

    def __pos__(self):
        return self

    def to(self, dtype, *_, **__):
        """As float (f32), int (i32) or bool, or the like of numpy and torch, which compute in these."""
        return convert(self, _type_named(dtype))

    astype = to

    def float(self):
        return convert(self, "f32")

    def int(self):
        return convert(self, "i32")

    long = int

    def bool(self):
        return convert(self, "i1")

    def new_full(self, size, value, *, dtype=None, **_):
        """The number `value`, as torch's masks make it of an index. `size` is ()."""
        if tuple(size) != ():
            raise RecordError(f"expects the size (), got {tuple(size)}: a program has scalars")
        return convert(value, self.type if dtype is None else _type_named(dtype))

    def new_ones(self, size, **options):
        return self.new_full(size, 1, **options)

    def new_zeros(self, size, **options):
        return self.new_full(size, 0, **options)

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
        return make("f32", f"math.{name} ", (self,), " : f32") if self.type == "f32" else self

    # What numpy and torch ask of an operand of their functions.

    def __array__(self, *_, **__):
        self.__index__()

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        return _call_by_name(ufunc.__name__, inputs, options if method == "__call__" else {"method": method})

    def __array_function__(self, function, types, inputs, options):
        return _call_by_name(function.__name__, inputs, options)

    @classmethod
    def __torch_function__(cls, function, types, inputs=(), options=None):
        return _call_by_name(function.__name__, inputs, options or {})


def _call_by_name(name, inputs, options):
    from ._functions import BY_NAME

    if name not in BY_NAME:
        raise RecordError(f"expects a function that a mod has, got '{name}': docs/PythonMods.md lists them")
    return BY_NAME[name](*inputs, **options)


# By the names that numpy and torch have for them.
OPERATORS = {
    **{name: partial(arithmetic, name[:3]) for name in ("add", "sub", "subtract", "mul", "multiply")},
    **dict.fromkeys(("div", "divide", "true_divide", "truediv"), true_divide),
    **dict.fromkeys(("floor_divide", "floordiv"), floor_divide),
    **dict.fromkeys(("remainder", "mod"), remainder),
    **dict.fromkeys(("power", "pow", "float_power"), power),
    **dict.fromkeys(("negative", "neg"), negative),
    **dict.fromkeys(("absolute", "abs"), absolute),
    **{f"bitwise_{name}": partial(logic, name) for name in ("and", "or", "xor")},
    **dict.fromkeys(("invert", "bitwise_not"), invert),
    **dict.fromkeys(("left_shift", "bitwise_left_shift"), partial(shift, "shl")),
    **dict.fromkeys(("right_shift", "bitwise_right_shift"), partial(shift, "shrs")),
}
for _short, _long in {
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}.items():
    OPERATORS[_short] = OPERATORS[_long] = partial(compare, _short)
