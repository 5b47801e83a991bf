"""Functions of programs, by torch's names: of values while a program is recorded, of Python's numbers otherwise.

So a program can also be called with numbers, which gives what the kernel computes, but for f32's rounding.
"""

import builtins
import math

from ._nodes import RecordError
from ._values import OPERATORS, absolute, as_number, as_value, compare, convert, logic, make, promote, select


def _is_number(*values):
    return all(as_number(x) is not None for x in values)


def _unary(name, number, doc, operation=None):
    operation = operation or f"math.{name} "

    def function(x):
        if _is_number(x):
            return number(as_number(x))
        return make("f32", operation, (convert(x, "f32"),), " : f32")

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc + ", as a float."
    return function


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
rsqrt = _unary("rsqrt", lambda x: math.inf if x == 0 else _or_nan(lambda y: y**-0.5)(x), "1 / sqrt(x)")
tanh = _unary("tanh", math.tanh, "The hyperbolic tangent")
sin = _unary("sin", _or_nan(math.sin), "The sine")
cos = _unary("cos", _or_nan(math.cos), "The cosine")
tan = _unary("tan", _or_nan(math.tan), "The tangent")
atan = _unary("atan", math.atan, "The arc tangent")
erf = _unary("erf", math.erf, "The error function")


def _rounding(name, number, doc, operation):
    """Floats stay floats, integers what they are."""

    def function(x):
        if _is_number(x):
            whole = as_number(x)
            return number(whole) if isinstance(whole, builtins.float) and math.isfinite(whole) else whole
        x = as_value(x)
        return make("f32", f"math.{operation} ", (x,), " : f32") if x.type == "f32" else x

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc + "; of the operand's type."
    return function


floor = _rounding("floor", lambda x: builtins.float(math.floor(x)), "Rounded down", "floor")
ceil = _rounding("ceil", lambda x: builtins.float(math.ceil(x)), "Rounded up", "ceil")
trunc = _rounding("trunc", lambda x: builtins.float(math.trunc(x)), "Rounded towards zero", "trunc")
round = _rounding("round", lambda x: builtins.float(builtins.round(x)), "Rounded, halves to even", "roundeven")


def where(condition, x, y):
    """x where the condition holds, else y, of their common type. Both are computed."""
    if _is_number(condition, x, y):
        return x if condition else y
    return select(condition, x, y)


def _extremum(name, number, doc):
    def function(x, y):
        if _is_number(x, y):
            return math.nan if x != x or y != y else number(x, y)
        type_, (x, y) = promote(x, y, least="i32")
        operation = f"{name}imumf" if type_ == "f32" else f"{name}si"
        natural = (any if name == "max" else all)((x.natural, y.natural))
        return make(type_, f"arith.{operation} ", (x, y), f" : {type_}", natural)

    function.__name__ = function.__qualname__ = name + "imum"
    function.__doc__ = doc + " of two, NaN where one is."
    return function


minimum = _extremum("min", min, "The lesser")
maximum = _extremum("max", max, "The greater")


def clamp(x, min=None, max=None):
    """x, at least `min` and at most `max`, each of which may be None."""
    x = x if min is None else maximum(x, min)
    return x if max is None else minimum(x, max)


def abs(x):
    """The magnitude."""
    return builtins.abs(as_number(x)) if _is_number(x) else absolute(x)


def sign(x):
    """-1, 0 or 1, of the operand's type."""
    if _is_number(x):
        return type(x)((x > 0) - (x < 0)) if x == x else x
    _, (x,) = promote(x, least="i32")
    return select(compare("gt", x, 0), convert(1, x.type), select(compare("lt", x, 0), convert(-1, x.type), x))


def _question(name, number):
    def function(x):
        if _is_number(x):
            return number(x)
        return make("i1", f"math.{name} ", (convert(x, "f32"),), " : f32", True)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Whether x {name[:2]} {name[2:]}."
    return function


isnan = _question("isnan", math.isnan)
isinf = _question("isinf", math.isinf)
isfinite = _question("isfinite", math.isfinite)


def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return 1.0 / (1.0 + exp(-x))


def silu(x):
    """x * sigmoid(x)."""
    return x * sigmoid(x)


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
    return function


logical_and = _logical("and", lambda x, y: bool(x) and bool(y))
logical_or = _logical("or", lambda x, y: bool(x) or bool(y))
logical_xor = _logical("xor", lambda x, y: bool(x) != bool(y))


def logical_not(x):
    """Whether a condition does not hold, or a number is 0."""
    return not x if _is_number(x) else ~convert(x, "i1")


def to_float(x):
    """The nearest f32."""
    return builtins.float(x) if _is_number(x) else convert(x, "f32")


def to_int(x):
    """Rounded towards zero, the nearest i32 if it does not fit, 0 of NaN."""
    return builtins.int(x) if _is_number(x) else convert(x, "i32")


PUBLIC = (
    "exp exp2 expm1 log log2 log10 log1p sqrt rsqrt tanh sin cos tan atan erf floor ceil trunc round where minimum "
    "maximum clamp abs sign isnan isinf isfinite sigmoid silu relu softplus gelu logical_and logical_or logical_xor "
    "logical_not to_float to_int"
).split()
# What functions of numpy and torch, called with a value, mean.
BY_NAME = {
    **OPERATORS,
    **{name: globals()[name] for name in PUBLIC},
    "arctan": atan,
    "rint": round,
    "clip": clamp,
    "special_erf": erf,
    "float": to_float,
    "int": to_int,
    "long": to_int,
}
