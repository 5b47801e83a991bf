"""Functions and methods of torch and numpy that a program calls with its values, by their names."""

import inspect
import sys
from functools import partial

from . import _functions, _rows
from ._lifted import Lifted
from ._nodes import RecordError, current
from ._tables import Table, is_array, table
from ._values import (
    Value,
    absolute,
    arithmetic,
    as_number,
    cast,
    compare,
    convert,
    divide,
    floor_divide,
    invert,
    logic,
    negative,
    power,
    remainder,
    shift,
    truncated_remainder,
)


class NoMethod(RecordError, AttributeError):
    """A method that a program has not, which may also be asked for by hasattr()."""


def _scaled(name):
    """Sums and differences have torch's `alpha`."""
    return lambda x, y, alpha=1: arithmetic(name, x, y if alpha == 1 else arithmetic("mul", y, alpha))


def _reflected(function):
    return lambda x, y: function(y, x)


def _comparison(name):
    return partial(compare, name)


# By all names that numpy, torch and Python's operators have for them.
ELEMENTWISE = {
    **{name: getattr(_functions, name) for name in _functions.PUBLIC},
    **_functions.UNLISTED,
    "add": _scaled("add"),
    **dict.fromkeys(("sub", "subtract"), _scaled("sub")),
    **dict.fromkeys(("mul", "multiply"), partial(arithmetic, "mul")),
    **dict.fromkeys(("div", "divide", "true_divide", "truediv"), divide),
    **dict.fromkeys(("floor_divide", "floordiv"), floor_divide),
    **dict.fromkeys(("remainder", "mod"), remainder),
    "fmod": truncated_remainder,
    **dict.fromkeys(("power", "pow", "float_power"), power),
    **dict.fromkeys(("negative", "neg"), negative),
    **dict.fromkeys(("absolute", "abs"), absolute),
    **{f"{prefix}{name}": partial(logic, name) for name in ("and", "or", "xor") for prefix in ("", "bitwise_", "r")},
    **dict.fromkeys(("invert", "bitwise_not"), invert),
    **dict.fromkeys(("left_shift", "bitwise_left_shift", "lshift"), partial(shift, "shl")),
    **dict.fromkeys(("right_shift", "bitwise_right_shift", "rshift"), partial(shift, "shrs")),
    **dict.fromkeys(("eq", "equal"), _comparison("eq")),
    **dict.fromkeys(("ne", "not_equal"), _comparison("ne")),
    **dict.fromkeys(("lt", "less"), _comparison("lt")),
    **dict.fromkeys(("le", "less_equal"), _comparison("le")),
    **dict.fromkeys(("gt", "greater"), _comparison("gt")),
    **dict.fromkeys(("ge", "greater_equal"), _comparison("ge")),
    "rsub": lambda x, y, alpha=1: arithmetic("sub", y, x if alpha == 1 else arithmetic("mul", x, alpha)),
    **{name: _reflected(f) for name, f in (("rdiv", divide), ("rtruediv", divide), ("rpow", power))},
    **{name: _reflected(f) for name, f in (("rfloordiv", floor_divide), ("rmod", remainder))},
    "radd": partial(arithmetic, "add"),
    "rmul": partial(arithmetic, "mul"),
    "masked_fill": lambda x, mask, value: _functions.where(mask, value, x),
    "zeros_like": lambda x, dtype=None: x.new_zeros(dtype=dtype),
    "ones_like": lambda x, dtype=None: x.new_ones(dtype=dtype),
    "full_like": lambda x, fill_value, dtype=None: x.new_full((), fill_value, dtype=dtype),
    "scalar_tensor": lambda x, dtype=None: _number(x, dtype),
    "to": lambda x, *what, **options: x.to(*what, **options),
    "convert_element_type": cast,
    "positive": lambda x: x,
    "alias": lambda x: x,
}
# Those whose operands may be rows of which they make less.
OF_ROWS = {
    "any": _rows.any_of,
    "all": _rows.all_of,
    "sum": _rows.total,
    "prod": _rows.product,
    "mean": _rows.mean,
    "min": _rows.extremum(_functions.minimum),
    "max": _rows.extremum(_functions.maximum),
    "amin": _rows.along(_functions.minimum),
    "amax": _rows.along(_functions.maximum),
    **dict.fromkeys(("dot", "vdot", "inner", "matmul"), _rows.dot),
    **dict.fromkeys(("tensor", "as_tensor", "asarray", "array"), lambda x, dtype=None: _made_of(x, dtype)),
    "stack": lambda values, dim=0: _stacked(values, dim),
    "full": lambda size, fill_value, dtype=None: _full(size, fill_value, dtype),
    "getitem": lambda array, index: _indexed(array, index),
    "embedding": lambda index, weight, padding_idx=None: table(weight)[index],
    "unsqueeze": lambda x, dim: _rows.operand(x).unsqueeze(dim),
    "squeeze": lambda x, dim=None: _rows.operand(x).squeeze(dim),
    "numel": lambda x: x.numel(),
}
# Options that say nothing about a scalar's value, or that say nothing at these values.
_WITHOUT_MEANING = {"device", "layout", "requires_grad", "pin_memory", "memory_format", "non_blocking", "copy"}
_DEFAULTS = {
    **dict.fromkeys(("out", "dtype", "max_norm", "generator", "axis"), (None,)),
    **dict.fromkeys(("inplace", "sparse", "scale_grad_by_freq"), (False,)),
    "where": (True,),
    "norm_type": (2.0,),
}
_REFUSED = {
    "detach": "a gradient is that of the whole program",
    "backward": "the package makes the gradients of programs",
    "view": "change its shape outside of the program",
    "reshape": "change its shape outside of the program",
    "transpose": "change its shape outside of the program",
    "permute": "change its shape outside of the program",
    "rand": "a program has no random numbers: a captured array can hold them",
    "bernoulli": "a program has no random numbers: a captured array can hold them",
    "dropout": "a program has no random numbers: a captured array can hold them",
    "sort": "sort outside of the program, and capture the result",
    "argmax": "compute it outside of the program, and capture the result",
    "argsort": "sort outside of the program, and capture the result",
    "cumsum": "compute it outside of the program, and capture the result",
    "nonzero": "compute it outside of the program, and capture the result",
}
_registered = {"approx::tanh": _functions.tanh}


def register_function(name, function):
    """Says what a custom operation of torch means in a program: `register_function("approx::tanh", attn.tanh)`.

    `name` is the operation's, with its namespace, as in torch.ops.approx.tanh; `function` computes the same of values,
    by operators and functions of programs (docs/PythonMods.md). It replaces what was there. Programs that were recorded
    before keep what it was then.
    """
    if "::" not in name:
        raise ValueError(f"expects a name as 'namespace::operation', got '{name}'")
    _registered[name] = function


def call_torch(function, inputs, options):
    """What a function of torch gives, one of whose operands belongs to a program."""
    schema = getattr(function, "_schema", None)
    qualified = getattr(function, "_qualified_op_name", None) or getattr(schema, "name", None)
    name = getattr(function, "__name__", str(function))
    if qualified in _registered:
        return _registered[qualified](*inputs, **options)
    if qualified:
        namespace, _, name = qualified.partition("::")
        if namespace not in ("aten", "prims"):
            raise RecordError(
                f"expects an operation that a mod has, got '{qualified}': attn.register_function('{qualified}', f) "
                "says what it means"
            )
    return call(name, inputs, options)


def call(name, inputs, options):
    """What the function of that name gives."""
    if name.startswith("__") and name.endswith("__"):
        name = name.strip("_")
    _note_arrays((*inputs, *options.values()), name)
    if name not in ELEMENTWISE and name not in OF_ROWS:
        raise _unknown(name, inputs, RecordError)
    inputs, options = _arguments(name, inputs, options)
    if name in OF_ROWS:
        return _bound(OF_ROWS[name], name, inputs, options)
    function, arguments = ELEMENTWISE[name], [*inputs, *options.values()]
    places = [i for i, x in enumerate(arguments) if _is_row(x)]

    def of_elements(*elements):
        filled = list(arguments)
        for place, element in zip(places, elements):
            filled[place] = element
        rest = filled[len(inputs) :]
        return _bound(function, name, filled[: len(inputs)], dict(zip(options, rest)))

    return _rows.elementwise(of_elements, *(arguments[i] for i in places)) if places else of_elements()


def method_of(value, name):
    """The function `name` with `value` as its first operand."""
    if name not in ELEMENTWISE and name not in OF_ROWS:
        raise _unknown(name, (value,), NoMethod)
    return lambda *inputs, **options: call(name, (value, *inputs), options)


def _unknown(name, inputs, error):
    for x in inputs:
        if isinstance(x, Lifted):  # of numbers alone Python, or torch, can compute it
            x.as_constant()
    return error(_refusal(name) or f"expects a function that a mod has, got '{name}': docs/PythonMods.md lists them")


def refuse_method(name, message):
    """Raises the error of a method that an array has not in a program."""
    raise NoMethod(_refusal(name) or message)


def _refusal(name):
    if name.endswith("_") and not name.endswith("__"):
        return f"expects a program that writes nothing, got '{name}': write x = {name[:-1]}(x) for x.{name}()"
    return f"'{name}' cannot be recorded: {_REFUSED[name]}" if name in _REFUSED else None


def _note_arrays(inputs, name):
    """Arrays among operands are read now, but for one that is indexed."""
    recording = getattr(current, "recording", None)
    for x in inputs if recording and name not in ("getitem", "embedding") else ():
        if is_array(x):
            recording.note_contents(x)


def _is_row(x):
    return isinstance(x, (_rows.Row, Table)) or (is_array(x) and x.shape != ())


def _arguments(name, inputs, options):
    """torch's names of operands in their places, without options that have no meaning."""
    options = {k: x for k, x in options.items() if k not in _WITHOUT_MEANING}
    options = {k: x for k, x in options.items() if not _is_default(k, x)}
    for theirs, ours in (("axis", "dim"), ("keepdims", "keepdim")):  # numpy's and torch's
        if theirs in options:
            options[ours] = options.pop(theirs)
    inputs = list(inputs)
    for first in ("input", "self", "condition", "x"):
        if first in options:
            inputs.insert(0, options.pop(first))
    if "other" in options:
        inputs.insert(1 if name != "where" else len(inputs), options.pop("other"))
    return inputs, options


def _is_default(name, x):
    if name in _DEFAULTS and isinstance(x, Lifted):
        x.as_constant()
    return any(x is d or (type(x) is float and x == d) for d in _DEFAULTS.get(name, ()))


def _bound(function, name, inputs, options):
    """Its result; the error of arguments that it has not is the program's."""
    try:
        inspect.signature(function).bind(*inputs, **options)
    except TypeError as error:
        raise RecordError(f"expects arguments of '{name}' that a mod has: {error}") from None
    return function(*inputs, **options)


def _number(x, dtype):
    return x if dtype is None else cast(x, dtype)


def _made_of(x, dtype):
    row = _rows.operand(x)
    return _rows.elementwise(lambda value: _number(value, dtype), row)


def _full(size, value, dtype):
    if tuple(size) != ():
        raise RecordError(f"expects the size (), got {tuple(size)}: a program has scalars")
    return _number(value, dtype)


def _stacked(values, dim):
    if dim not in (0, -1):
        raise RecordError(f"expects to stack along the first dimension, got {dim}")
    return _rows.stack(values)


def _indexed(array, index):
    if isinstance(array, (Value, _rows.Row)):
        return array[index]
    recording = getattr(current, "recording", None)
    return table(array, recording.name_of(array) if recording else None)[index]


def dtype_of(value, name):
    """torch's or numpy's type of a value, for programs that make numbers of the same; or its device."""
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    if name == "device":
        if torch is None:
            raise NoMethod("a value of a program is on no device")
        return torch.device("cpu")
    name = {"f32": "float32", "i32": "int32", "i1": "bool"}[value.kind]
    return getattr(torch, name) if torch else numpy.dtype(name) if numpy else name
