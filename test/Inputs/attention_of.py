"""Prints a mod file and a function that applies its mod to tensors of any length.

usage: attention_of.py [--backward] MOD.mlir TYPE HEAD_DIM[,VALUE_DIM] [SCHEDULE]

--backward: the function returns the gradients of query, key and value.
"""

import re
import sys

backward = sys.argv[1] == "--backward"
path, element, dim, *schedule = sys.argv[1 + backward :]
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
forward = f"""
func.func @attention(%q: {query}, %k: {query}, %v: {value}{signature}) -> {value} {{
  %o = attn.attention %q, %k, %v mod @{name}{applied} {attributes}: ({operands}) -> {value}
  return %o : {value}
}}"""
lse = "tensor<?x?x?xf32>"
operands = ", ".join([query, query, value, value, lse, value] + types)
results = f"({query}, {query}, {value})"
gradients = f"""
func.func @attention(%q: {query}, %k: {query}, %v: {value}, %o: {value}, %l: {lse}, %do: {value}{signature}) -> {results} {{
  %d:3 = attn.attention_backward %q, %k, %v, %o, %l, %do mod @{name}{applied} {attributes}: ({operands}) -> {results}
  return %d#0, %d#1, %d#2 : {query}, {query}, {value}
}}"""
print(gradients if backward else forward)
