"""Functions that differ in arrays and numbers alone are recorded once; whatever else a program reads is noticed.

RUN: env PYTHONPATH=%source/python %python %s
"""

import dataclasses
import functools
import gc
import math
import os
import sys
import threading
import types
import unittest
import weakref

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "Inputs"))
import attn
from attn import _recordings
from evaluate import Array

WIDTH, slopes = 3, Array([1.0, 2.0])


def helper(q, kv):
    return q - kv < WIDTH


def sliding(window):
    return lambda b, h, q, kv: (q >= kv) & (q - kv <= window)


def either(*masks):
    def mask(b, h, q, kv):
        return functools.reduce(lambda x, y: x | y, [m(b, h, q, kv) for m in masks])

    return mask


class Recordings(unittest.TestCase):
    def setUp(self):
        self.count, self._record = 0, _recordings.record
        _recordings._recordings.clear()

        def counted(*arguments):
            self.count += 1
            return self._record(*arguments)

        _recordings.record = counted
        self.addCleanup(setattr, _recordings, "record", self._record)

    def check(self, expected, *functions, score=None):
        """Of mask programs, one after another: how often one was recorded. Values are those of a new recording."""
        for mask in functions:
            program, values = _recordings.recorded(score, mask)
            fresh = attn.mod_source(score, mask, lift=True)
            self.assertEqual(program.text, fresh.text)
            self.assertEqual([(c.name, c.type) for c in program.captures], [(c.name, c.type) for c in fresh.captures])
            for value, capture in zip(values, fresh.captures):
                self.assertIs(type(value), type(capture.value))
                self.assertTrue(value is capture.value or value == capture.value, (value, capture))
        self.assertEqual(self.count, expected)

    def test_numbers(self):
        self.check(1, sliding(3), sliding(7), sliding(-1))
        self.check(2, sliding(2.5), sliding(math.nan), sliding(4))
        self.check(2, sliding(2**31 - 1), sliding(-(2**31)), sliding(1.5))
        with self.assertRaisesRegex(attn.RecordError, "fits an i32, got 2147483648"):
            _recordings.recorded(None, sliding(2**31))

    def test_numbers_that_are_constants(self):
        def program(steps, width=2):
            def mask(b, h, q, kv):
                return sum(q for _ in range(steps)) - kv < width

            return mask

        self.check(1, program(2), program(2, 3), program(2, 4))
        self.check(2, program(3), program(3, 1), program(2, 1))

    def test_what_python_computes_of_numbers(self):
        """It is computed anew for each call, in Python's own numbers, and only where it meets a value."""

        def program(width, rate, big=2**40):
            far = width > 3

            def mask(b, h, q, kv):
                near = (q - kv < width // 2) | (q * 0.5 < width * rate - 1) & (kv != big // 2**38 % 3)
                return near & (width > 4) & (math.floor(width / 2) != kv) | far

            return mask

        self.check(1, program(7, 0.1))
        _, values = _recordings.recorded(None, program(9, 0.3))
        self.assertEqual(values, (4, 9 * 0.3 - 1, 1, True, 4))
        self.check(2, program(2, 0.1), program(3, 0.1, 2**41))  # another constant, `far`
        self.check(3, program(7, 2), program(8, 1))

        def divided(x):
            return lambda b, h, q, kv: q > 12 // x

        self.check(4, divided(5), divided(-2))
        with self.assertRaises(ZeroDivisionError):
            _recordings.recorded(None, divided(0))

    def test_signs_of_numbers(self):
        """An index that may be negative is another program."""
        marks = Array([True] * 9, "bool")

        def program(offset, size):
            return lambda b, h, q, kv: marks[q + offset] & marks[(kv - 5) % size]

        self.check(1, program(3, 4), program(0, 1))
        self.check(2, program(-1, 4), program(-2, 2))
        self.check(3, program(1, 0))

    def test_numbers_of_pythons_own_types(self):
        """Where a program insists, numbers are constants."""

        def program(width, scale):
            def mask(b, h, q, kv):
                assert isinstance(width, int)
                return (q - kv) * scale < width

            return mask

        self.check(2, program(3, 2.0), program(4, 2.0), program(3, 2.0))
        with self.assertRaises(AssertionError):
            _recordings.recorded(None, program(3.0, 2.0))

    def test_numbers_as_keys_and_sizes(self):
        def program(kind, n):
            masks = {1: lambda q: q > 1, 2: lambda q: q > 2}
            return lambda b, h, q, kv: masks[kind](q) | any_of(q == i for i in range(n))

        def any_of(conditions):
            return functools.reduce(lambda x, y: x | y, conditions)

        self.check(3, program(1, 2), program(2, 2), program(1, 3), program(1, 2), program(2, 2))

    def test_constants_by_bits(self):
        def power(y):
            return lambda b, h, q, kv: q**y > kv

        self.check(4, *map(power, (0.0, -0.0, 1.0, 1, 0.0, -0.0, 1.0, 1)))

    def test_conditions_texts_and_none(self):
        def program(kind, causal, first=None):
            def mask(b, h, q, kv):
                x = q >= kv if causal else q <= kv
                return x if kind == "plain" else x & (kv > (first or 0))

            return mask

        programs = program("plain", True), program("plain", False), program("late", True), program("late", True, 2)
        self.check(4, *programs, *programs)

    def test_arrays(self):
        def program(marks):
            return lambda b, h, q, kv: marks[q - kv] & marks[kv]

        self.check(1, *(program(Array([True] * n, "bool")) for n in (3, 4)))

    def test_types_and_ranks_of_arrays(self):
        def program(x):
            return lambda b, h, q, kv: x[q] == kv

        self.check(1, program(Array([1], "int32")), program(Array([1, 2], "int32")))
        self.check(2, program(Array([1], "int64")), program(Array([3], "int32")))

        def scalar(x):
            return lambda b, h, q, kv: q - x < kv

        self.check(4, scalar(Array(2, "int32")), scalar(Array(3, "int32")), scalar(3), scalar(4))

    def test_sizes_that_are_asked_for(self):
        def program(x, ask):
            return lambda b, h, q, kv: sum(x[i] for i in range(ask(x))) > q

        for asked, ask in ((2, len), (4, lambda x: x.shape[0]), (6, lambda x: x.size(0))):
            arrays = [Array([1] * n, "int32") for n in (2, 3, 2, 3)]
            self.check(asked, *(program(x, ask) for x in arrays))

        def last(x):
            return lambda b, h, q, kv: x[-1] + x[1] > q

        self.check(7, *(last(Array([1] * n, "int32")) for n in (2, 3)))
        with self.assertRaisesRegex(attn.RecordError, "got 1"):
            _recordings.recorded(None, last(Array([1], "int32")))

    def test_the_same_array_twice(self):
        def program(x, y):
            return lambda b, h, q, kv: x[q] == y[kv]

        one, two = Array([1], "int32"), Array([2], "int32")
        self.check(1, program(one, one), program(two, two))
        self.check(2, program(one, two), program(two, one))

    def test_the_same_function_twice(self):
        one, two = sliding(1), sliding(2)
        self.check(1, either(one, one), either(two, two))
        self.check(2, either(one, two), either(two, one))

    def test_globals(self):
        global WIDTH, slopes, helper
        self.addCleanup(globals().update, WIDTH=WIDTH, slopes=slopes, helper=helper)

        def score(s, b, h, q, kv):
            return s + slopes[h]

        def mask(b, h, q, kv):
            return helper(q, kv) & (abs(q) > 1)

        self.check(1, mask, mask, score=score)
        slopes = Array([1.0, 2.0, 3.0])
        self.check(1, mask, score=score)
        WIDTH = 5
        self.check(2, mask, score=score)
        helper = lambda q, kv: q > kv  # noqa: E731
        self.check(3, mask, score=score)
        globals()["abs"] = lambda x: x + 5
        self.addCleanup(globals().pop, "abs")
        self.check(4, mask, score=score)

    def test_what_functions_hold(self):
        def defaults(x, y):
            def mask(b, h, q, kv, near=x, *, far=y):
                return (q - kv > near) & (q - kv < far[0])

            return mask

        self.check(1, defaults(1, (5,)), defaults(2, (7,)))
        self.check(3, defaults(1.0, (5,)), defaults(1, [5]), defaults(3, (9,)))
        self.check(4, either(sliding(1), sliding(2)), either(sliding(3), sliding(4)))
        self.check(5, either(sliding(1), sliding(2), sliding(3)))
        self.check(6, either(sliding(1), lambda b, h, q, kv: q > 1))

        def scaled(width, b, h, q, kv, *, names):
            return q - kv < width + names["far"]

        def part(*x, **y):
            return functools.partial(scaled, *x, **y)

        self.check(7, part(1, names={"far": 1}), part(2, names={"far": 3}))
        self.check(9, part(1.5, names={"far": 1}), part(1, names={"far": 1, "near": 2}))

    def test_recursion_and_caches(self):
        def program(depth, width):
            def add(x, n):
                return x if n == 0 else add(x + width, n - 1)

            @functools.lru_cache
            def cached(x):
                return x + width

            return lambda b, h, q, kv: add(q, depth) > cached(kv)

        self.check(2, program(2, 1), program(2, 3), program(3, 1), program(3, 4))

    def test_objects(self):
        class Window:
            kind = "plain"

            def __init__(self, width, marks, inner=None):
                self.width, self.marks, self.inner, self.unused = width, marks, inner, object()

            @property
            def doubled(self):
                return self.width * 2

            def near(self, q, kv):
                return q - kv < self.doubled + WIDTH

            def __call__(self, b, h, q, kv):
                x = self.near(q, kv) & self.marks[kv]
                return x & self.inner(b, h, q, kv) if self.inner else x & (self.kind == "plain")

        marks, longer = Array([True], "bool"), Array([True, False], "bool")
        self.check(1, Window(1, marks), Window(2, longer))
        self.check(2, Window(3, marks).__call__, Window(4, longer).__call__)
        self.check(3, Window(1, marks, sliding(1)), Window(2, marks, sliding(2)))
        other = Window(1, marks)
        other.kind = "other"
        self.check(4, other, Window(1, marks))

    def test_methods_and_nested_objects(self):
        @dataclasses.dataclass(frozen=True)
        class Config:
            width: int
            kinds: tuple = ("causal",)

        class Model:
            def __init__(self, config):
                self.config, self.weights = config, open  # which no program reads

            def mask(self, b, h, q, kv):
                return (q - kv < self.config.width) & ("causal" in self.config.kinds)

            def closure(self):
                return lambda b, h, q, kv: self.mask(b, h, q, kv)

        self.check(1, Model(Config(1)).mask, Model(Config(2)).mask)
        self.check(2, Model(Config(1, ())).mask)
        self.check(3, Model(Config(1)).closure(), Model(Config(2)).closure())
        model = Model(Config(1))
        self.check(3, model.closure())
        model.mask = sliding(2)
        self.check(4, model.closure(), model.closure())
        Model.mask = lambda self, b, h, q, kv: q == kv
        self.addCleanup(delattr, Model, "mask")
        self.check(5, Model(Config(1)).closure())

    def test_attributes_that_come_and_go(self):
        class Options:
            pass

        def program(options):
            return lambda b, h, q, kv: q > (options.first if hasattr(options, "first") else kv)

        options = Options()
        self.check(1, program(options))
        options.first = 3
        self.check(2, program(options), program(options))

    def test_classes_and_modules(self):
        class Config:
            width = 3

        module = types.ModuleType("a_module_of_the_user")
        module.first, module.table = 2, Array([1, 2], "int32")

        def mask(b, h, q, kv):
            return (q - kv < Config.width) & (kv >= module.first) & (module.table[kv] > 0)

        self.check(1, mask, mask)
        Config.width = 4
        self.check(2, mask)
        module.first = 1
        self.check(3, mask)
        module.table = Array([1], "int32")
        self.check(3, mask)

    def test_what_is_not_kept(self):
        made, count = Array([1], "int32"), iter(range(9))

        def finds(b, h, q, kv):
            return attn.table(next(iter([made, made])))[q] > 0

        def counts(b, h, q, kv):
            return q > next(count)

        self.check(1, finds)
        texts = {_recordings.recorded(None, counts)[0].text for _ in range(2)}
        self.assertEqual(len(texts), 2)

    def test_nothing_is_kept_alive(self):
        array = Array([1], "int32")

        def program(x):
            def mask(b, h, q, kv):
                return x[q] > 0

            return mask

        mask = program(array)
        held = [weakref.ref(x) for x in (array, mask)]
        _recordings.recorded(None, mask)
        del array, mask
        gc.collect()
        self.assertEqual([x() for x in held], [None, None])

    def test_recordings_are_bounded(self):
        def program(n):
            return lambda b, h, q, kv: q > sum(range(n))

        for n in range(_recordings._MOST_OF_ONE + 9):
            _recordings.recorded(None, program(n))
        (kept,) = _recordings._recordings.values()
        self.assertEqual(len(kept), _recordings._MOST_OF_ONE)

    def test_threads(self):
        failed = []

        def work(i):
            for n in range(200):
                width = (i * 31 + n) % 7
                _, values = _recordings.recorded(None, sliding(width if n % 2 else float(width)))
                if values != (width,):
                    failed.append(values)

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])


if __name__ == "__main__":
    unittest.main()
