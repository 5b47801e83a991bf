"""What _c.py says of structures, numbers and functions is what the C header says.

RUN: env PYTHONPATH=%source/python %python %s %source/include %t
"""

import ctypes
import os
import re
import subprocess
import sys
import unittest

from attn import _c

INCLUDE, SCRATCH = sys.argv[1:3]
STRUCTURES = [x for x in vars(_c).values() if isinstance(x, type) and issubclass(x, _c._Sized) and x is not _c._Sized]
NUMBERS = {f"ATTN_{name}": x for name, x in vars(_c).items() if name.isupper() and isinstance(x, int)}
# The C types of arguments and results that are no pointers.
SCALARS = {ctypes.c_int32: ("attn_status", "int32_t", "attn_query_offset"), ctypes.c_size_t: ("size_t",)}
SCALARS.update({ctypes.c_double: ("double",), ctypes.c_int64: ("int64_t",), None: ("void",)})


def c_name(structure):
    return "attn_" + re.sub(r"(?<!^)([A-Z])", r"_\1", structure.__name__).lower()


def compiled(expressions):
    """What a C program gives for integers."""
    lines = "\n".join(f'  printf("%lld\\n", (long long)({x}));' for x in expressions)
    with open(SCRATCH + ".c", "w") as file:
        file.write(f"#include <attn/attn.h>\n#include <stddef.h>\n#include <stdio.h>\nint main(void) {{\n{lines}\n}}\n")
    subprocess.run(["cc", "-std=c99", "-Werror", "-I", INCLUDE, SCRATCH + ".c", "-o", SCRATCH + ".exe"], check=True)
    output = subprocess.run([SCRATCH + ".exe"], check=True, capture_output=True, text=True).stdout
    return dict(zip(expressions, map(int, output.split())))


class Layout(unittest.TestCase):
    def test_structures_and_numbers(self):
        expected = dict(NUMBERS)
        for structure in STRUCTURES:
            name = c_name(structure)
            expected[f"sizeof({name})"] = ctypes.sizeof(structure)
            for field, _ in structure._fields_:
                expected[f"offsetof({name}, {field})"] = getattr(structure, field).offset
                expected[f"sizeof((({name} *)0)->{field})"] = getattr(structure, field).size
        self.assertGreater(len(expected), 100)
        self.assertEqual(compiled(list(expected)), expected)

    def test_a_structure_knows_its_size(self):
        for structure in STRUCTURES:
            self.assertEqual(structure().size, ctypes.sizeof(structure))

    def test_functions(self):
        with open(os.path.join(INCLUDE, "attn", "attn.h")) as file:
            declarations = re.findall(r"ATTN_EXPORT ([^;{]*?)(\w+)\(([^;]*?)\);", file.read())
        declared = {name: [result, *arguments.split(",")] for result, name, arguments in declarations}
        for name, (result, arguments) in _c._PROTOTYPES.items():
            types = [result, *(arguments or [None])]
            self.assertEqual(len(types), len(declared[name]), name)
            for type_, text in zip(types, declared[name]):
                if "*" in text:
                    self.assertTrue(type_ in (ctypes.c_void_p, ctypes.c_char_p) or hasattr(type_, "contents"), name)
                else:
                    self.assertIn(text.split()[0], SCALARS[type_], name)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
