"""What cannot be recorded says so, with the line of the program, and what to write instead; texts and captures.

RUN: env PYTHONPATH=%source/python ATTN_LIBRARY=%libattn %python %s
UNSUPPORTED: sanitized
"""

import inspect
import math
import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "Inputs"))
import attn
from evaluate import Array

rows = Array([[1, 0], [0, 1]], "int32")
wide = Array([1.0], "float64")
long, three = Array([[0] * 17], "int32"), Array([0, 0, 0], "int32")


def mask_error(mask, pattern, line=0):
    """Expects recording `mask` to fail at its line + `line`."""
    first = mask.__code__.co_firstlineno
    try:
        attn.mod_source(mask_mod=mask)
    except TypeError as error:
        assert re.match(rf"{re.escape(__file__)}:{first + line}:\d+: error: ", str(error)), str(error)
        assert pattern in str(error), str(error)
    else:
        raise AssertionError(f"expects an error: {inspect.getsource(mask)}")


class Errors(unittest.TestCase):
    def test_conditions(self):
        def branch(b, h, q, kv):
            if q > kv:
                return True
            return q == 0

        mask_error(branch, "attn.where(c, x, y) for 'if'", 1)
        mask_error(lambda b, h, q, kv: q > 0 and kv > 0, "'&', '|', '~' for 'and', 'or', 'not'")
        mask_error(lambda b, h, q, kv: not q > kv, "'~'")
        mask_error(lambda b, h, q, kv: 0 <= q < 3, "(a <= x) & (x < b)")
        mask_error(lambda b, h, q, kv: max(q, kv) > 3, "attn.minimum and attn.maximum")

    def test_values(self):
        mask_error(lambda b, h, q, kv: [1, 2][q] > 0, "attn.table(array)[i]")
        mask_error(lambda b, h, q, kv: sum(range(q)) > 0, "range() and sizes take Python's integers")
        mask_error(lambda b, h, q, kv: int(q) > 0, "attn.to_int(x)")
        mask_error(lambda b, h, q, kv: math.exp(q) > 0, "attn.exp(x)")
        mask_error(lambda b, h, q, kv: len("%d" % q) > 0, "is neither a number nor a tensor here: %d format")
        mask_error(lambda b, h, q, kv: q > 2**31, "fits an i32, got 2147483648")
        mask_error(lambda b, h, q, kv: (q * 1.0) & 1 == 0, "expects conditions or integers for '&', got a float")
        mask_error(lambda b, h, q, kv: q << -1 > 0, "expects a shift by 0 or more, got -1")

    def test_tables(self):
        mask_error(lambda b, h, q, kv: rows[q, None] > 0, "expects integers or slices as indices of 'rows', got None")
        mask_error(lambda b, h, q, kv: attn.exp(rows[q]) > 0, "expects an index for each dimension, 1 more of 'rows'")
        mask_error(lambda b, h, q, kv: long[q].any(), "rows of at most 16")
        mask_error(lambda b, h, q, kv: (long[q] == kv).any(), "rows of at most 16 elements, which are unrolled, got 17")
        mask_error(lambda b, h, q, kv: (rows[q] == three).any(), "expects rows of one shape, got (2,) and (3,)")
        mask_error(lambda b, h, q, kv: rows.sort()[q, 0] > 0, "'sort' cannot be recorded: sort outside of the program")
        mask_error(lambda b, h, q, kv: rows[q].view(1) > 0, "'view' cannot be recorded: change its shape outside")
        mask_error(lambda b, h, q, kv: rows[q, kv, 0] > 0, "expects at most 2 indices of 'rows', got 3")
        mask_error(lambda b, h, q, kv: rows[q, 2] > 0, "expects an index of 'rows' from -2 to 1, got 2")
        mask_error(lambda b, h, q, kv: rows[q, -3] > 0, "from -2 to 1, got -3")
        mask_error(lambda b, h, q, kv: rows[q / 2, 0] > 0, "expects integers as indices of 'rows', got a float")
        mask_error(lambda b, h, q, kv: rows[q > 1, 0] > 0, "got a condition")
        mask_error(lambda b, h, q, kv: wide[q] > 0, "expects elements of 'wide' of float32")
        mask_error(lambda b, h, q, kv: attn.table([1, 2])[q] > 0, "a shape and a dtype, got 'list'")

    def test_results(self):
        mask_error(lambda b, h, q, kv: None, "expects the program to return a condition, got None")
        mask_error(lambda b, h, q, kv: q, "got an integer: compare it")
        mask_error(lambda b, h, q, kv: rows[q], "got an array of shape (2,): index it")
        mask_error(lambda b, h, q, kv: rows[q] == 1, "got an array of shape (2,): index it")
        with self.assertRaisesRegex(TypeError, "return a score, got a condition"):
            attn.mod_source(lambda s, b, h, q, kv: s > 0)
        with self.assertRaisesRegex(TypeError, "expects a score_mod, a mask_mod or both"):
            attn.mod_source()

    def test_values_of_another_program(self):
        kept = []
        attn.mod_source(lambda s, b, h, q, kv: kept.append(q) or s)
        mask_error(lambda b, h, q, kv: kept[0] > kv, "expects the arguments of its own program, got 'q' of another one")

    def test_programs_own_errors_pass(self):
        with self.assertRaises(ZeroDivisionError):
            attn.mod_source(mask_mod=lambda b, h, q, kv: q > 1 // 0)


def window(width, marks):
    def mask(b, h, q, kv):
        return (q - kv < width) & marks[kv]

    return mask


class Texts(unittest.TestCase):
    def test_same_structure_same_text(self):
        def recorded(width, n, lift):
            return attn.mod_source(mask_mod=window(width, Array([True] * n, "bool")), lift=lift)

        self.assertEqual(recorded(3, 4, False).text, recorded(3, 9, False).text)
        self.assertNotEqual(recorded(3, 4, False).text, recorded(5, 4, False).text)
        self.assertEqual(recorded(3, 4, True).text, recorded(5, 9, True).text)

    def test_captures(self):
        marks = Array([True], "bool")
        recorded = attn.mod_source(mask_mod=window(3, marks), lift=True)
        self.assertEqual([c.name for c in recorded.captures], ["width", "marks"])
        self.assertEqual([c.value for c in recorded.scalars], [3])
        self.assertIs(recorded.arrays[0].value, marks)
        self.assertEqual(recorded.arrays[0].type, "tensor<?xi1>")

    def test_names_are_distinct(self):
        q, s = Array([1], "int32"), Array([1.0])
        first, second = window(1, Array([True], "bool")), window(1, Array([True], "bool"))
        recorded = attn.mod_source(
            lambda x, b, h, y, z: x + s[y] + q[z], lambda *at: first(*at) & second(*at)
        )
        self.assertEqual([c.name for c in recorded.captures], ["s_1", "q_1", "marks", "marks_1"])

    def test_lifted_numbers_whose_value_is_needed(self):
        def program(steps, scale, causal, power=2):
            def mask(b, h, q, kv):
                x = q * scale
                for i in range(steps // 2):
                    x = x + i
                x = x ** power
                return (q >= kv) & (x > 3) if causal or steps > 3 else x > 3

            return mask

        recorded = attn.mod_source(mask_mod=program(4, 2, False), lift=True)
        self.assertEqual([(c.name, c.value) for c in recorded.captures], [("scale", 2)])

    def test_location(self):
        line = inspect.currentframe().f_lineno + 1
        text = attn.mod_source(mask_mod=lambda b, h, q, kv: q >= kv).text
        self.assertRegex(text, rf'arith.cmpi sge, %q, %kv : i32 loc\("{re.escape(__file__)}":{line}:\d+\)')


if __name__ == "__main__":
    unittest.main()
