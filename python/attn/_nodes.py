"""How recorded programs become the text of an attn.mod.

An expression is a graph of nodes, each an operation of docs/Mods.md with the place in the user's source that made it.
Nothing is evaluated. A program is what its result is computed from. The same as include/attn/API/Recording.h.
"""

import functools
import itertools
import math
import os
import struct
import sys
import threading

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_LIBRARIES = {"numpy", "torch", "triton"}
_STDLIB = os.path.dirname(os.__file__) + os.sep
#: `recording` is what programs of this thread read from, while one is recorded.
current = threading.local()
ARGUMENTS = ("s", "b", "h", "q", "kv")


class RecordError(TypeError):
    """What cannot be recorded; the text begins with `file:line:col: error:` of the user's function."""

    def __init__(self, message, place=None):
        place = place or here()
        super().__init__(f"{place[0]}:{place[1]}:{place[2]}: error: {message}")
        self.place = place


def is_library(module):
    """Whether a module of that name, or None, is no user's own."""
    return _is_library((module or "").partition(".")[0])


@functools.lru_cache(4096)
def _is_library(name):
    if name not in sys.stdlib_module_names or name == "__main__":
        return name in _LIBRARIES
    # A user's test.py has the name of a library's module.
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is None or file.startswith(_STDLIB)


def is_own(code):
    """Whether it is this package's."""
    return code.co_filename.startswith(_PACKAGE)


class GivenProgram:
    """A program that is no function of Python's: `for_recording(recording)` gives what makes its result of its
    arguments. `place` is where it comes from; while it runs, current.place is."""

    place = None

    def for_recording(self, recording):
        raise NotImplementedError


def here():
    """(file, line, column) of the innermost code that is the user's."""
    if getattr(current, "place", None):
        return current.place
    frame = outermost = sys._getframe(1)
    while frame and (is_own(frame.f_code) or is_library(frame.f_globals.get("__name__"))):
        frame, outermost = frame.f_back, frame
    frame = frame or outermost
    return _position(frame.f_code, frame.f_lineno, frame.f_lasti)


def place_in(traceback):
    """The same of where an error came from."""
    place = None
    while traceback:
        frame = traceback.tb_frame
        if not (is_own(frame.f_code) or is_library(frame.f_globals.get("__name__"))):
            place = _position(frame.f_code, traceback.tb_lineno, traceback.tb_lasti)
        traceback = traceback.tb_next
    return place


def _position(code, line, last):
    column = 1
    if hasattr(code, "co_positions"):  # since Python 3.11
        position = next(itertools.islice(code.co_positions(), last // 2, None), None)
        if position and position[0] is not None and position[2] is not None:
            line, column = position[0], position[2] + 1
    return code.co_filename, line or 1, column


def place_of(function):
    """Where a function, or what a partial or an object calls, begins; of a callable without code, the caller."""
    if isinstance(function, GivenProgram):
        return function.place
    while isinstance(function, functools.partial):
        function = function.func
    code = getattr(function, "__code__", None) or getattr(getattr(type(function), "__call__", None), "__code__", None)
    return (code.co_filename, code.co_firstlineno, 1) if code else here()


class Capture:
    """What programs capture. `value` is an array or a number, read when the kernel is called; `rank` 0 is a scalar."""

    __slots__ = ("name", "type", "rank", "value", "source", "leaves")

    def __init__(self, name, element, rank, value, source=None, leaves=frozenset()):
        self.name, self.rank, self.value = name, rank, value
        self.type = f"tensor<{'?x' * rank}{element}>" if rank else element
        self.source = source  # where it comes from, of _guards.Guards; None: not known
        self.leaves = leaves  # the lifted numbers that it is computed from, which can be constants instead


class Node:
    """An operation; an argument of `program`, `prefix` being its name; or a captured scalar."""

    __slots__ = ("prefix", "operands", "suffix", "place", "capture", "program")

    def __init__(self, prefix, operands=(), suffix="", capture=None, program=None):
        self.prefix, self.operands, self.suffix = prefix, operands, suffix
        self.capture, self.program, self.place = capture, program, here()


def lifted_leaves(node):
    """The sources of the lifted numbers that all of `node` is computed from; none if it is computed from more."""
    found, seen, open_nodes = set(), set(), [node]
    while open_nodes:
        node = open_nodes.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if node.program is not None or (node.capture and not node.capture.leaves):
            return set()
        if node.capture:
            found |= node.capture.leaves
        open_nodes.extend(node.operands)
    return found


class Writer:
    """The text of a mod, program by program; captures in the order in which the programs first read them."""

    def __init__(self):
        self.body, self.count, self.captures, self.names = [], 0, [], {}

    def add_program(self, keyword, arguments, program, result, type_, place):
        """Adds `keyword(arguments) { ... }`, whose result, of `type_`, is the node `result`."""
        self.body.append(f" {keyword}({arguments}) {{\n")
        self.values, self.program, self.place = {}, program, place
        self._write(result)
        self.body.append(f"  attn.yield {self.values[id(result)]} : {type_}{_location(place)}\n}}")

    def finish(self, name, place):
        captured = ", ".join(f"%{self.names[id(c)]}: {c.type}" for c in self.captures)
        captured = f"({captured})" if captured else ""
        return f"attn.mod @{name}{captured}{''.join(self.body)}{_location(place)}\n"

    def _write(self, result):
        """Operands before what uses them; without recursion, since loops can make a deep graph."""
        open_nodes = [(result, iter(result.operands))]
        while open_nodes:
            node, operands = open_nodes[-1]
            operand = next((o for o in operands if id(o) not in self.values), None)
            if operand is not None:
                open_nodes.append((operand, iter(operand.operands)))
            else:
                open_nodes.pop()
                if id(node) not in self.values:
                    self._write_node(node)

    def _write_node(self, node):
        if node.program is not None:
            if node.program is not self.program:
                message = f"expects the arguments of its own program, got '{node.prefix}' of another one"
                raise RecordError(message, self.place)
            self.values[id(node)] = "%" + node.prefix
            return
        name = self._name_of(node.capture) if node.capture else None
        if name and not node.prefix:
            self.values[id(node)] = "%" + name
            return
        value = self.values[id(node)] = f"%{self.count}"
        self.count += 1
        prefix = node.prefix.replace("%%", f"%{name}") if name else node.prefix
        operands = ", ".join(self.values[id(o)] for o in node.operands)
        self.body.append(f"  {value} = {prefix}{operands}{node.suffix}{_location(node.place)}\n")

    def _name_of(self, capture):
        """Its name, unlike all others: with a number behind it where that is taken."""
        if id(capture) not in self.names:
            wanted = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in capture.name or "table")
            wanted = wanted if wanted[0].isalpha() or wanted[0] == "_" else "_" + wanted
            taken = {*ARGUMENTS, *self.names.values()}
            names = itertools.chain([wanted], (f"{wanted}_{i}" for i in itertools.count(1)))
            self.names[id(capture)] = next(n for n in names if n not in taken)
            self.captures.append(capture)
        return self.names[id(capture)]


def _location(place):
    file = place[0].replace("\\", "\\\\").replace('"', '\\"')
    return f' loc("{file}":{place[1]}:{place[2]})'


def float_text(value):
    """The nearest f32 as it reads back; infinities and NaN by their bits."""
    try:
        (value,) = struct.unpack("f", struct.pack("f", value))
    except OverflowError:
        value = math.copysign(math.inf, value)
    if math.isnan(value):
        return "0x7FC00000"
    if math.isinf(value):
        return "0x7F800000" if value > 0 else "0xFF800000"
    return f"{value:.9e}"
