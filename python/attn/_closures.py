"""A function with other things in its closure: arrays that a program can index, numbers that are captured.

Functions are rebuilt, not changed: cells, defaults, bound arguments of partials, and the arrays and helpers among the
globals that it names. All of it is what ordinary Python would find there, but for what `replace` makes of it.
"""

import functools
import os
import sys
import types

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_LIBRARIES = {*sys.stdlib_module_names, "numpy", "torch"} - {"__main__"}


def rebuild(function, replace):
    """`function` with `replace(value, name, key, is_global)` for what it refers to.

    `key` names the place of the value, as long as the functions live. Other values than functions and containers of
    such go through `replace`.
    """
    return _Rebuilder(replace).visit(function, None, None, False)


class _Rebuilder:
    def __init__(self, replace):
        self.replace, self.functions, self.globals = replace, {}, {}

    def visit(self, value, name, key, is_global):
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, functools.partial):
            return self._partial(value)
        if isinstance(value, types.MethodType) and isinstance(value.__func__, types.FunctionType):
            return types.MethodType(self._function(value.__func__), value.__self__)
        if type(value) in (list, tuple, dict):
            items = value.items() if type(value) is dict else enumerate(value)
            new = {k: self.visit(x, f"{name}_{k}", (key, k), is_global) for k, x in items}
            # What nothing in it is replaced of stays the same object, which a program may write to.
            if all(new[k] is value[k] for k in new):
                return value
            return new if type(value) is dict else type(value)(new.values())
        return self.replace(value, name, key, is_global)

    def _partial(self, value):
        names = getattr(getattr(value.func, "__code__", None), "co_varnames", ())
        arguments = [
            self.visit(x, names[i] if i < len(names) else f"argument_{i}", (id(value), i), False)
            for i, x in enumerate(value.args)
        ]
        keywords = {k: self.visit(x, k, (id(value), k), False) for k, x in value.keywords.items()}
        return functools.partial(self.visit(value.func, None, None, False), *arguments, **keywords)

    def _function(self, old):
        if id(old) in self.functions:
            return self.functions[id(old)]
        library = (old.__module__ or "").partition(".")[0] in _LIBRARIES
        if library or old.__code__.co_filename.startswith(_PACKAGE):
            return self._function_of_library(old)
        cells = tuple(types.CellType() for _ in old.__closure__ or ())
        globals_ = self._globals_of(old)
        new = types.FunctionType(old.__code__, globals_, old.__name__, None, cells)
        self.functions[id(old)] = new  # before its cells, which may hold itself
        new.__dict__.update(old.__dict__)
        new.__module__, new.__qualname__ = old.__module__, old.__qualname__
        code = old.__code__
        for name, cell, old_cell in zip(code.co_freevars, cells, old.__closure__ or ()):
            try:
                contents = old_cell.cell_contents
            except ValueError:  # not yet assigned
                continue
            cell.cell_contents = self.visit(contents, name, id(old_cell), False)
        defaults = old.__defaults__ or ()
        names = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
        new.__defaults__ = tuple(self.visit(x, n, (id(old), n), False) for n, x in zip(names, defaults)) or None
        keywords = (old.__kwdefaults__ or {}).items()
        new.__kwdefaults__ = {n: self.visit(x, n, (id(old), n), False) for n, x in keywords} or None
        return new

    def _function_of_library(self, old):
        """As it is, but for the user's functions that it holds, as and_masks does."""
        self.functions[id(old)] = old
        cells = list(old.__closure__ or ())
        for i, cell in enumerate(cells):
            try:
                held = cell.cell_contents
            except ValueError:
                continue
            if _holds_functions(held):
                new = self.visit(held, None, id(cell), False)
                cells[i] = cell if new is held else types.CellType(new)
        if all(x is y for x, y in zip(cells, old.__closure__ or ())):
            return old
        new = types.FunctionType(old.__code__, old.__globals__, old.__name__, old.__defaults__, tuple(cells))
        new.__kwdefaults__ = old.__kwdefaults__
        self.functions[id(old)] = new
        return new

    def _globals_of(self, function):
        """A copy in which what the function names, or code nested in it, is replaced."""
        old = function.__globals__
        if id(old) not in self.globals:
            self.globals[id(old)] = (dict(old), set())
        new, done = self.globals[id(old)]
        for name in sorted(_names_of(function.__code__) - done):
            done.add(name)
            if name in old:
                new[name] = self.visit(old[name], name, (id(old), name), True)
        return new


def _holds_functions(x):
    if type(x) in (list, tuple):
        return bool(x) and all(map(_holds_functions, x))
    return isinstance(x, (types.FunctionType, types.MethodType, functools.partial))


def _names_of(code):
    nested = (c for c in code.co_consts if isinstance(c, types.CodeType))
    return set(code.co_names).union(*map(_names_of, nested))
