"""Functions of programs, by torch's names: of values while a program is recorded, of Python's numbers otherwise.

So a program can also be called with numbers, which gives what the kernel computes, but for f32's rounding.
"""

import builtins
import functools
import math
import sys

from ._nodes import RecordError
from ._values import (
    NATURAL,
    absolute,
    as_number,
    as_value,
    both,
    compare,
    convert,
    either,
    logic,
    make,
    promote,
    select,
)


def _is_number(*values):
    return all(as_number(x) is not None for x in values)


def _also_of_tensors(function):
    """Of tensors of torch, with numbers or without, what torch's function of that name gives."""
    name = function.__name__

    @functools.wraps(function)
    def either(*operands, **options):
        if "torch" in sys.modules:
            from ._torch import are_tensors, of_tensors

            if are_tensors((*operands, *options.values())):
                return of_tensors(name, operands, options)
        return function(*operands, **options)

    return either


def _unary(name, number, doc, operation=None):
    operation = operation or f"math.{name} "

    def function(x):
        if _is_number(x):
            return number(as_number(x))
        return make("f32", operation, (convert(x, "f32"),), " : f32")

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc + ", as a float."
    return _also_of_tensors(function)


def _or_nan(function):
    """NaN, or the infinity, where Python's function raises."""

    def total(x):
        try:
            return function(x)
        except OverflowError:
            return math.inf
        except ValueError:
            return math.nan

    return total


def _or_infinity(function):
    return lambda x: function(x) if builtins.abs(x) < 700 else math.copysign(math.inf, x)


def _at_ends(function):
    return lambda x: math.copysign(math.inf, x) if x in (1, -1) else function(x)


def _log(function):
    return lambda x: -math.inf if x == 0 else _or_nan(function)(x)


exp = _unary("exp", _or_nan(math.exp), "e to the power x")
exp2 = _unary("exp2", _or_nan(lambda x: 2.0**x), "2 to the power x")
expm1 = _unary("expm1", _or_nan(math.expm1), "exp(x) - 1")
log = _unary("log", _log(math.log), "The natural logarithm")
log2 = _unary("log2", _log(math.log2), "The logarithm to base 2")
log10 = _unary("log10", _log(math.log10), "The logarithm to base 10")
log1p = _unary("log1p", _or_nan(math.log1p), "log(1 + x)")
sqrt = _unary("sqrt", _or_nan(math.sqrt), "The square root")
rsqrt = _unary("rsqrt", lambda x: math.inf if x == 0 else _or_nan(lambda y: 1 / math.sqrt(y))(x), "1 / sqrt(x)")
tanh = _unary("tanh", math.tanh, "The hyperbolic tangent")
sin = _unary("sin", _or_nan(math.sin), "The sine")
cos = _unary("cos", _or_nan(math.cos), "The cosine")
tan = _unary("tan", _or_nan(math.tan), "The tangent")
atan = _unary("atan", math.atan, "The arc tangent")
erf = _unary("erf", math.erf, "The error function")
erfc = _unary("erfc", math.erfc, "1 - erf(x)")
sinh = _unary("sinh", _or_infinity(math.sinh), "The hyperbolic sine")
cosh = _unary("cosh", _or_nan(math.cosh), "The hyperbolic cosine")
asin = _unary("asin", _or_nan(math.asin), "The arc sine")
acos = _unary("acos", _or_nan(math.acos), "The arc cosine")
asinh = _unary("asinh", math.asinh, "The inverse hyperbolic sine")
acosh = _unary("acosh", _or_nan(math.acosh), "The inverse hyperbolic cosine")
atanh = _unary("atanh", _at_ends(_or_nan(math.atanh)), "The inverse hyperbolic tangent")


def _two_floats(name, number, doc):
    def function(x, y):
        if _is_number(x, y):
            return number(as_number(x), as_number(y))
        return make("f32", f"math.{name} ", (convert(x, "f32"), convert(y, "f32")), " : f32")

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return _also_of_tensors(function)


atan2 = _two_floats("atan2", math.atan2, "The angle of the point (y, x), whose arguments are in this order.")
copysign = _two_floats("copysign", math.copysign, "The magnitude of x with the sign of y.")


def _rounding(name, number, doc, operation):
    """Floats stay floats, integers what they are."""

    def function(x):
        if _is_number(x):
            whole = as_number(x)
            return number(whole) if isinstance(whole, builtins.float) and math.isfinite(whole) else whole
        x = as_value(x)
        return make("f32", f"math.{operation} ", (x,), " : f32") if x.kind == "f32" else x

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc + "; of the operand's type."
    return _also_of_tensors(function)


floor = _rounding("floor", lambda x: builtins.float(math.floor(x)), "Rounded down", "floor")
ceil = _rounding("ceil", lambda x: builtins.float(math.ceil(x)), "Rounded up", "ceil")
trunc = _rounding("trunc", lambda x: builtins.float(math.trunc(x)), "Rounded towards zero", "trunc")
round = _rounding("round", lambda x: builtins.float(builtins.round(x)), "Rounded, halves to even", "roundeven")


@_also_of_tensors
def where(condition, x, y):
    """x where the condition holds, else y, of their common type. Both are computed."""
    if _is_number(condition, x, y):
        return x if condition else y
    return select(condition, x, y)


def _extremum(name, number, doc):
    def function(x, y):
        if _is_number(x, y):
            return math.nan if x != x or y != y else number(x, y)
        type_, (x, y) = promote(x, y)
        if type_ == "i1":
            return logic("and" if name == "min" else "or", x, y)
        operation = f"{name}imumf" if type_ == "f32" else f"{name}si"
        natural = either(x, y) if name == "max" else both(x, y)
        return make(type_, f"arith.{operation} ", (x, y), f" : {type_}", natural)

    function.__name__ = function.__qualname__ = name + "imum"
    function.__doc__ = doc + " of two, NaN where one is."
    return _also_of_tensors(function)


def _ignoring_nan(name):
    """The operand that is a number, where one is NaN."""

    def function(x, y):
        _, (x, y) = promote(x, y, least="f32")
        return make("f32", f"arith.{name}numf ", (x, y), " : f32")

    return function


minimum = _extremum("min", min, "The lesser")
maximum = _extremum("max", max, "The greater")


def clamp(x, min=None, max=None):
    """x, at least `min` and at most `max`, each of which may be None."""
    x = x if min is None else maximum(x, min)
    return x if max is None else minimum(x, max)


@_also_of_tensors
def abs(x):
    """The magnitude."""
    return builtins.abs(as_number(x)) if _is_number(x) else absolute(x)


@_also_of_tensors
def sign(x):
    """-1, 0 or 1, of the operand's type."""
    if _is_number(x):
        return type(x)((x > 0) - (x < 0)) if x == x else x
    _, (x,) = promote(x, least="i32")
    return select(compare("gt", x, 0), convert(1, x.kind), select(compare("lt", x, 0), convert(-1, x.kind), x))


def _question(name, number):
    def function(x):
        if _is_number(x):
            return number(x)
        return make("i1", f"math.{name} ", (convert(x, "f32"),), " : f32", NATURAL)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Whether x {name[:2]} {name[2:]}."
    return _also_of_tensors(function)


isnan = _question("isnan", math.isnan)
isinf = _question("isinf", math.isinf)
isfinite = _question("isfinite", math.isfinite)


def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return 1.0 / (1.0 + exp(-x))


def silu(x):
    """x * sigmoid(x)."""
    return x * sigmoid(x)


def square(x):
    """x * x."""
    return x * x


def reciprocal(x):
    """1 / x."""
    return 1.0 / x


def relu(x):
    """x, or 0 where it is negative."""
    return maximum(x, 0)


def softplus(x):
    """log(1 + exp(x))."""
    return maximum(x, 0.0) + log1p(exp(-abs(x)))


def gelu(x, approximate="none"):
    """x times the normal distribution at x, or its approximation by "tanh"."""
    if approximate == "none":
        return 0.5 * x * (1.0 + erf(x * math.sqrt(0.5)))
    if approximate != "tanh":
        raise RecordError(f"expects 'approximate' none or tanh, got {approximate}")
    return 0.5 * x * (1.0 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


def _logical(name, number):
    def function(x, y):
        return number(x, y) if _is_number(x, y) else logic(name, convert(x, "i1"), convert(y, "i1"))

    function.__name__ = function.__qualname__ = "logical_" + name
    function.__doc__ = f"'{name}' of two conditions, or of `!= 0` of numbers."
    return _also_of_tensors(function)


logical_and = _logical("and", lambda x, y: bool(x) and bool(y))
logical_or = _logical("or", lambda x, y: bool(x) or bool(y))
logical_xor = _logical("xor", lambda x, y: bool(x) != bool(y))


@_also_of_tensors
def logical_not(x):
    """Whether a condition does not hold, or a number is 0."""
    return not x if _is_number(x) else ~convert(x, "i1")


@_also_of_tensors
def to_float(x):
    """The nearest f32."""
    return builtins.float(x) if _is_number(x) else convert(x, "f32")


@_also_of_tensors
def to_int(x):
    """Rounded towards zero, the nearest i32 if it does not fit, 0 of NaN."""
    return builtins.int(x) if _is_number(x) else convert(x, "i32")


PUBLIC = (
    "exp exp2 expm1 log log2 log10 log1p sqrt rsqrt tanh sin cos tan atan erf erfc sinh cosh asin acos asinh acosh "
    "atanh atan2 copysign floor ceil trunc round where minimum maximum clamp abs sign isnan isinf isfinite sigmoid "
    "silu relu softplus gelu square reciprocal logical_and logical_or logical_xor logical_not to_float to_int"
).split()


def _rounded(x, decimals=0):
    if decimals:
        raise RecordError(f"expects round() to a whole number, got {decimals} decimals")
    return round(x)


def _leaky_relu(x, negative_slope=0.01):
    return where(x > 0, x, x * negative_slope)


def _elu(x, alpha=1.0):
    return where(x > 0, x, alpha * expm1(x))


def _softplus(x, beta=1, threshold=20):
    scaled = x if beta == 1 else x * beta
    return where(scaled > threshold, x, softplus(scaled) / beta)


def _hardtanh(x, min_val=-1.0, max_val=1.0):
    return clamp(x, min_val, max_val)


def _nan_to_num(x, nan=0.0, posinf=None, neginf=None):
    most = 3.4028234663852886e38
    x = where(isnan(x), 0.0 if nan is None else nan, x)
    x = where(x == math.inf, most if posinf is None else posinf, x)
    return where(x == -math.inf, -most if neginf is None else neginf, x)


# Functions that numpy and torch have besides, or by other names.
UNLISTED = {
    **dict.fromkeys(("arctan",), atan),
    **{f"arc{name}": globals()[f"a{name}"] for name in ("sin", "cos", "sinh", "cosh", "tanh", "tan2")},
    **dict.fromkeys(("round", "rint"), _rounded),
    "fix": trunc,
    "clip": clamp,
    "clamp_min": lambda x, min: maximum(x, min),
    "clamp_max": lambda x, max: minimum(x, max),
    **{f"special_{name}": globals()[name] for name in ("erf", "erfc", "exp2", "expm1", "log1p", "round")},
    "special_expit": sigmoid,
    "fmin": _ignoring_nan("min"),
    "fmax": _ignoring_nan("max"),
    "sgn": sign,
    "isposinf": lambda x: x == math.inf,
    "isneginf": lambda x: x == -math.inf,
    "nan_to_num": _nan_to_num,
    "hypot": lambda x, y: sqrt(x * x + y * y),
    "logaddexp": lambda x, y: maximum(x, y) + log1p(exp(-abs(x - y))),
    "lerp": lambda x, end, weight: x + weight * (end - x),
    "addcmul": lambda x, y, z, value=1: x + value * y * z,
    "addcdiv": lambda x, y, z, value=1: x + value * y / z,
    "deg2rad": lambda x: x * (math.pi / 180),
    "rad2deg": lambda x: x * (180 / math.pi),
    "softplus": _softplus,
    "logsigmoid": lambda x: -softplus(-x),
    "log_sigmoid": lambda x: -softplus(-x),
    "relu6": lambda x: clamp(x, 0, 6),
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": lambda x: 1.0507009873554805 * _elu(x, 1.6732632423543772),
    "celu": lambda x, alpha=1.0: where(x > 0, x, alpha * expm1(x / alpha)),
    "mish": lambda x: x * tanh(softplus(x)),
    "hardtanh": _hardtanh,
    "hardsigmoid": lambda x: clamp(x / 6 + 0.5, 0, 1),
    "hardswish": lambda x: x * clamp(x / 6 + 0.5, 0, 1),
    "softsign": lambda x: x / (1 + abs(x)),
    "tanhshrink": lambda x: x - tanh(x),
    "float": to_float,
    "int": to_int,
    "long": to_int,
}
