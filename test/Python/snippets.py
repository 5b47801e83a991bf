"""What docs/Python.md shows runs, as it stands there.

RUN: env PYTHONPATH=%source/python ATTN_LIBRARY=%libattn %python %s %source/docs/Python.md
REQUIRES: numpy
UNSUPPORTED: sanitized
"""

import re
import sys

import attn
import numpy as np


def bits(x):
    return attn.bfloat16((x.view(np.uint32) >> 16).astype(np.uint16))


with open(sys.argv[1]) as file:
    first, second = re.findall(r"^```python\n(.*?)^```", file.read(), re.M | re.S)
names = {}
exec(compile(first, "first", "exec"), names)
assert names["out"].shape == (1, 8, 256, 64) and list(names["grad"].captures) == ["slopes"]
names.update({name: bits(names[name]) for name in "qkv"}, lengths=np.array([200], np.int32))
exec(compile(second, "second", "exec"), names)
assert names["out"].shape == (1, 8, 256, 64) and np.isfinite(names["lse"]).all()
