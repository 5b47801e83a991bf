"""Prints a mod file and a function that applies its mod to tensors of any length.

usage: attention_of.py MOD.mlir TYPE HEAD_DIM[,VALUE_DIM] [SCHEDULE]
"""

import re
import sys

path, element, dim, *schedule = sys.argv[1:]
attributes = f"{{schedule = {schedule[0]}}} " if schedule else ""
with open(path) as file:
    source = file.read()

# The mod that a kernel is made of is the last one of the file.
name, captures = re.findall(r"^attn\.mod @(\w+)\s*(?:\((.*?)\))?", source, re.S | re.M)[-1]
types = re.findall(r"%\w+\s*:\s*(tensor<[^>]*>|\w+)", captures)
arguments = [f"%c{i}" for i in range(len(types))]
applied = f"({', '.join(arguments)})" if types else ""
query, value = (f"tensor<?x?x?x{d}x{element}>" for d in (dim.split(",") * 2)[:2])
signature = "".join(f", {a}: {t}" for a, t in zip(arguments, types))
operands = ", ".join([query, query, value] + types)

print(source)
print(f"""
func.func @attention(%q: {query}, %k: {query}, %v: {value}{signature}) -> {value} {{
  %o = attn.attention %q, %k, %v mod @{name}{applied} {attributes}: ({operands}) -> {value}
  return %o : {value}
}}""")
