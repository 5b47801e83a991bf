"""Prints a mod file and a function that applies its mod to tensors of any length.

usage: attention_of.py [--backward | --captures] MOD.mlir TYPE HEAD_DIM[,VALUE_DIM] [SCHEDULE]

--backward: the function returns the gradients of query, key and value. --captures: and those of all captured floats.
"""

import re
import sys

captured = sys.argv[1] == "--captures"
backward = captured or sys.argv[1] == "--backward"
path, element, dim, *schedule = sys.argv[1 + backward :]
with open(path) as file:
    source = file.read()

# The mod that a kernel is made of is the last one of the file.
name, captures = re.findall(r"^attn\.mod @(\w+)\s*(?:\((.*?)\))?", source, re.S | re.M)[-1]
types = re.findall(r"%\w+\s*:\s*(tensor<[^>]*>|\w+)", captures)
wrt = [i for i, t in enumerate(types) if captured and re.search(r"(?:^|x)b?f\d+", t)]
named = ([f"schedule = {schedule[0]}"] if schedule else []) + (
    [f"wrt = array<i64: {', '.join(map(str, wrt))}>"] if wrt else [])
attributes = f"{{{', '.join(named)}}} " if named else ""
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
of_captures = [re.sub(r"b?f\d+", "f32", types[i]) for i in wrt]
all_results = ", ".join([query, query, value] + of_captures)
results = f"({all_results})"
count = 3 + len(wrt)
gradients = f"""
func.func @attention(%q: {query}, %k: {query}, %v: {value}, %o: {value}, %l: {lse}, %do: {value}{signature}) -> {results} {{
  %d:{count} = attn.attention_backward %q, %k, %v, %o, %l, %do mod @{name}{applied} {attributes}: ({operands}) -> {results}
  return {", ".join(f"%d#{i}" for i in range(count))} : {all_results}
}}"""
print(gradients if backward else forward)
