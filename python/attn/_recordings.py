"""Recordings that are kept: the same functions, with other arrays and numbers in them, are not recorded again.

A recording is found by the code of the functions, and by conditions (_guards) on what they refer to: code, types and
ranks, and numbers that are constants of the text, through all closures, defaults, partials and objects. It is never
found by who a function is, since a lambda is another function each time.
"""

import collections
import weakref
from typing import NamedTuple

from .recorder import record

_MOST_FUNCTIONS, _MOST_OF_ONE = 512, 64


class Capture(NamedTuple):
    name: str
    type: str  #: as the mod declares it: "tensor<?xf32>", "i32"


class Program:
    """The text of a mod, and its captures in the order in which a launch takes them.

    There is one object for one text, for as long as anything holds it, so that it is a key of what is made of it.
    """

    __slots__ = ("text", "captures", "mod", "__weakref__")

    def __init__(self, text, captures):
        self.text, self.captures = text, captures
        #: The Mod that was made of it, without positions; None: none yet.
        self.mod = None


_recordings = collections.OrderedDict()  # by code: a list of (match, Program), the last used first
_programs = weakref.WeakValueDictionary()  # by text


def recorded(score_mod=None, mask_mod=None):
    """(Program, values): the program of `score_mod(score, b, h, q, kv)`, `mask_mod(b, h, q, kv)` or both, with numbers
    as captured scalars (mod_source, `lift`), and what these functions capture, in the order of Program.captures:
    arrays, numbers, sizes of arrays.

    Values are the very objects, so gradients can be given to them. The functions are not called if a recording of such
    functions is kept. May be called from any thread. Raises RecordError.
    """
    head = _head(score_mod), _head(mask_mod)
    kept = _recordings.get(head, ())
    for index, (match, program) in enumerate(kept):
        try:
            values = match(score_mod, mask_mod)
        except Exception:  # what a source names is not there
            continue
        if values is not None:
            if index:
                _recordings[head] = [kept[index], *kept[:index], *kept[index + 1 :]]
            return program, values
    made, match = record(score_mod, mask_mod, "recorded", True)
    program = _programs.get(made.text)
    if program is None:
        captures = tuple(Capture(c.name, c.type) for c in made.captures)
        program = _programs.setdefault(made.text, Program(made.text, captures))
    if match is not None:
        _recordings[head] = [(match, program), *kept[: _MOST_OF_ONE - 1]]
        while len(_recordings) > _MOST_FUNCTIONS:
            _recordings.popitem(last=False)
    return program, tuple(c.value for c in made.captures)


def _head(function):
    return getattr(function, "__code__", None) or type(function)
