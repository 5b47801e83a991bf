"""A function with other things in its closure: arrays that a program can index, numbers that are captured.

Functions are rebuilt, not changed: cells, defaults, bound arguments of partials, and the arrays and helpers among the
globals that it names. Objects of the user's own classes, and the user's modules, are seen through stand-ins, whose
attributes are looked at when the program reads them. All of it is what ordinary Python would find there, but for what
`replace` makes of it.
"""

import collections
import dis
import enum
import functools
import sys
import types

from ._nodes import is_library, is_own

_DICTIONARIES = (dict, collections.OrderedDict)
# What never changes, or is found by who it is.
_CONSTANTS = (type(None), bool, int, float, complex, str, bytes, range, slice, type(...))
_FIXED = (types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType, enum.Enum)
_FIXED_OF_LIBRARIES = {"dtype", "device", "layout", "memory_format", "ufunc", "OpOverload", "OpOverloadPacket"}


def rebuild(function, source, replace, guards):
    """`function` with `replace(value, name, source, is_global)` for what it refers to.

    `source` is where `function` comes from, of _guards.Guards, to which the conditions of the way go. Other values than
    functions, objects and containers of such go through `replace`, which gives None for what is none of its own.
    """
    return _Rebuilder(replace, guards).visit(function, None, source, False)


class _Rebuilder:
    def __init__(self, replace, guards):
        self.replace, self.guards = replace, guards
        self.made = {}  # by id: what it became, its source, and itself, to live as long
        self.globals = {}

    def visit(self, value, name, source, is_global):
        known = self.made.get(id(value))
        if known:
            if known[1] != source:
                self.guards.require(f"{source} is {known[1]}")
            return known[0]
        kind = type(value)
        if kind is types.FunctionType:
            compiled = "_torchdynamo_orig_callable"
            if compiled in vars(value):  # what torch.compile makes of a function
                return self.visit(getattr(value, compiled), name, self.guards.let(f"{source}.{compiled}"), is_global)
            return self._function(value, source)
        if kind is functools.partial:
            return self._partial(value, source)
        if kind is types.MethodType:
            # An autograd.Function's `apply` may be one.
            new = self._of_torch(value, source) if "torch" in sys.modules else None
            return self._method(value, source) if new is None else new
        if kind is functools._lru_cache_wrapper:  # which would remember values of this recording
            return self.visit(value.__wrapped__, name, self.guards.let(f"{source}.__wrapped__"), is_global)
        is_own_tuple = isinstance(value, tuple) and (hasattr(value, "_fields") or kind.__module__ == "torch")
        if kind in (list, tuple, *_DICTIONARIES) or is_own_tuple:
            return self._container(value, name, source, is_global)
        new = self.replace(value, name, source, is_global)
        if new is None and "torch" in sys.modules:
            new = self._of_torch(value, source)
        return self._other(value, name, source, is_global) if new is None else new

    def _of_torch(self, value, source):
        from ._torch import stand_in

        def forward_of(class_):
            self.guards.require_same(source if class_ is value else f"{source}.__self__", class_)
            place = f"{self.guards.name(_in_class)}({self.guards.name(class_)}, 'forward').__func__"
            return self.visit(_in_class(class_, "forward").__func__, None, self.guards.let(place), False)

        return stand_in(value, forward_of)

    def _remember(self, value, source, new):
        self.made[id(value)] = (new, source, value)
        return new

    def _other(self, value, name, source, is_global):
        kind, guards = type(value), self.guards
        if kind in _CONSTANTS:
            guards.require_equal(source, value)
        elif isinstance(value, _FIXED) or (kind.__name__ in _FIXED_OF_LIBRARIES and is_library(kind.__module__)):
            guards.require_same(source, value)
        elif isinstance(value, (set, frozenset)) and all(type(x) in _CONSTANTS for x in value):
            guards.require(f"{source} == {guards.name(frozenset(value))}")
        elif kind is types.ModuleType and not is_library(value.__name__):
            guards.require(f"type({source}) is {guards.name(kind)}")
            return self._remember(value, source, _stand_in(value, name, source, self, True))
        elif isinstance(value, (type, types.ModuleType)):
            guards.require_same(source, value)
            if isinstance(value, type) and not is_library(value.__module__):
                self._class(value, source)
        elif kind.__module__ == "numpy" and hasattr(value, "item"):  # one of numpy's numbers
            guards.require_equal(source, value)
        elif _can_be_stood_in(kind):
            guards.require(f"type({source}) is {guards.name(kind)}")
            return self._remember(value, source, _stand_in(value, name, source, self, is_global))
        else:
            guards.refuse()
        return value

    def _class(self, value, source):
        """Stays as it is; what it holds has conditions, but for what makes objects."""
        self._remember(value, source, value)
        for name, x in list(vars(value).items()):
            if not name.startswith("__"):
                place = f"vars({source})[{name!r}]"
                if isinstance(x, (staticmethod, classmethod)):
                    x, place = x.__func__, place + ".__func__"
                if isinstance(x, types.FunctionType) or not hasattr(type(x), "__get__"):
                    self.visit(x, name, self.guards.let(place), True)

    def _container(self, value, name, source, is_global):
        kind, guards = type(value), self.guards
        guards.require(f"type({source}) is {guards.name(kind)}")
        if kind in _DICTIONARIES:
            if not all(type(k) in _CONSTANTS for k in value):
                guards.refuse()
            guards.require(f"tuple({source}) == {guards.name(tuple(value))}")
            items = [(k, x, guards.name(k)) for k, x in value.items()]
        else:
            guards.require(f"len({source}) == {len(value)}")
            items = [(i, x, i) for i, x in enumerate(value)]
        new = {k: self.visit(x, f"{name}_{k}", guards.let(f"{source}[{at}]"), is_global) for k, x, at in items}
        # What nothing in it is replaced of stays the same object, which a program may write to.
        if all(new[k] is x for k, x, _ in items):
            return value
        if kind in _DICTIONARIES:
            return new
        if hasattr(value, "_fields"):
            return kind(*new.values())
        return list(new.values()) if kind is list else tuple(new.values())

    def _method(self, value, source):
        of = self.visit(value.__self__, "self", self.guards.let(f"{source}.__self__"), False)
        return types.MethodType(self.visit(value.__func__, None, self.guards.let(f"{source}.__func__"), False), of)

    def _partial(self, value, source):
        names = getattr(getattr(value.func, "__code__", None), "co_varnames", ())
        let, guards = self.guards.let, self.guards
        guards.require(f"type({source}) is {guards.name(functools.partial)}")
        arguments, keywords = let(f"{source}.args"), let(f"{source}.keywords")
        guards.require(f"len({arguments}) == {len(value.args)}")
        guards.require(f"tuple({keywords}) == {tuple(value.keywords)!r}")
        new_arguments = [
            self.visit(x, names[i] if i < len(names) else f"argument_{i}", let(f"{arguments}[{i}]"), False)
            for i, x in enumerate(value.args)
        ]
        new_keywords = {k: self.visit(x, k, let(f"{keywords}[{k!r}]"), False) for k, x in value.keywords.items()}
        function = self.visit(value.func, None, let(f"{source}.func"), False)
        return functools.partial(function, *new_arguments, **new_keywords)

    def _function(self, old, source):
        library = is_library(old.__module__) or is_own(old.__code__)
        if library and getattr(sys.modules.get(old.__module__), old.__name__, None) is old:
            self.guards.require_same(source, old)
            return old
        self.guards.require_code(source, old.__code__)
        let, code = self.guards.let, old.__code__
        cells = tuple(types.CellType() for _ in old.__closure__ or ())
        globals_ = old.__globals__ if library else self._globals_of(old, source)
        new = types.FunctionType(code, globals_, old.__name__, None, cells)
        self._remember(old, source, new)  # before its cells, which may hold itself
        new.__dict__.update(old.__dict__)
        new.__module__, new.__qualname__ = old.__module__, old.__qualname__
        for i, (name, cell, old_cell) in enumerate(zip(code.co_freevars, cells, old.__closure__ or ())):
            try:
                contents = old_cell.cell_contents
            except ValueError:  # not yet assigned
                self.guards.refuse()
                continue
            if name == "__class__":  # of super()
                cell.cell_contents = contents
                continue
            cell.cell_contents = self.visit(contents, name, let(f"{source}.__closure__[{i}].cell_contents"), False)
        new.__defaults__, new.__kwdefaults__ = self._defaults_of(old, source)
        return new

    def _defaults_of(self, old, source):
        defaults, keywords, code = old.__defaults__, old.__kwdefaults__, old.__code__
        let = self.guards.let
        if defaults:
            self.guards.require(f"len({source}.__defaults__) == {len(defaults)}")
            names = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
            defaults = tuple(
                self.visit(x, n, let(f"{source}.__defaults__[{i}]"), False)
                for i, (x, n) in enumerate(zip(defaults, names))
            )
        if keywords:
            keywords = {
                n: self.visit(x, n, let(f"{source}.__kwdefaults__[{n!r}]"), False) for n, x in keywords.items()
            }
        return defaults, keywords

    def _globals_of(self, function, source):
        """A copy in which what the function names, or code nested in it, is replaced."""
        old = function.__globals__
        if id(old) not in self.globals:
            self.globals[id(old)] = (dict(old), set(), self.guards.let(f"{source}.__globals__"))
        new, done, source = self.globals[id(old)]
        for name in _globals_named(function.__code__):
            if name in done:
                continue
            done.add(name)
            if name in old:
                new[name] = self.visit(old[name], name, self.guards.let(f"{source}[{name!r}]"), True)
            else:  # a builtin
                self.guards.require(f"{name!r} not in {source}")
        return new


@functools.lru_cache(1024)
def _globals_named(code):
    nested = (c for c in code.co_consts if isinstance(c, types.CodeType))
    own = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return tuple(sorted(own.union(*map(_globals_named, nested))))


# What Python itself asks objects for, which is no attribute that a program reads.
_UNSEEN = {"__class__", "__dict__", "__init__", "__new__", "__del__", "__getattribute__", "__setattr__"}
_UNSEEN |= {"__annotate__", "__annotate_func__"}


def _can_be_stood_in(kind):
    """Whether a subclass has no effect but to be one."""
    plain = type(kind) is type or type(kind).__module__ == "abc"
    unseen = all(_in_class(kind, name) is vars(object)[name] for name in ("__new__", "__init_subclass__"))
    # torch has modules, pages of caches and operations that are such objects.
    return plain and unseen and (kind.__module__.startswith("torch.") or not is_library(kind.__module__))


def _stand_in(old, label, source, rebuilder, is_global):
    """An object of a subclass, whose attributes are `old`'s, rebuilt when they are read."""
    class_, guards = type(old), rebuilder.guards

    def read(self, name):
        if name in _UNSEEN:
            return object.__getattribute__(old, name)
        found = _in_class(class_, name)
        if isinstance(found, types.FunctionType) and not is_library(found.__module__):
            if name not in getattr(old, "__dict__", ()):
                guards.require(f"{name!r} not in getattr({source}, '__dict__', ())")
                return types.MethodType(method(found, name), self)
        if isinstance(found, property) and found.fget and not is_library(found.fget.__module__):
            return method(found.fget, name, ".fget")(self)
        try:
            value = getattr(old, name)
        except AttributeError:
            guards.require(f"not hasattr({source}, {name!r})")
            raise
        if isinstance(value, types.MethodType) and value.__self__ is old:  # of a library's class
            return types.MethodType(value.__func__, self)
        own = name if name.isidentifier() else f"{label}_{name}"  # of lists of torch the first is "0"
        return rebuilder.visit(value, own, guards.let(f"getattr({source}, {name!r})"), is_global)

    def method(function, name, of=""):
        place = guards.let(f"{guards.name(_in_class)}(type({source}), {name!r}){of}")
        return rebuilder.visit(function, name, place, False)

    def write(self, name, value):
        guards.refuse()
        setattr(old, name, value)

    def special(name, function):
        return lambda self, *arguments, **keywords: method(function, name)(self, *arguments, **keywords)

    names = {"__getattribute__": read, "__setattr__": write, "__hash__": lambda self: hash(old)}
    names.update(__module__=class_.__module__, __qualname__=class_.__qualname__)
    for c in reversed(class_.__mro__):
        if not is_library(c.__module__):
            functions = {n: x for n, x in vars(c).items() if isinstance(x, types.FunctionType)}
            names.update({n: special(n, x) for n, x in functions.items() if n.startswith("__") and n not in _UNSEEN})
    made = type(class_)(class_.__name__, (class_,), names)
    return class_.__new__(made, class_.__name__) if class_ is types.ModuleType else class_.__new__(made)


def _in_class(class_, name):
    """What a class or one that it is derived from has by that name."""
    return next((vars(c)[name] for c in class_.__mro__ if name in vars(c)), None)
