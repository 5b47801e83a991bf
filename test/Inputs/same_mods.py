"""same_mods.py RECORD_MODS MODS_DIRECTORY: whether each mod file and its C++ lambdas are one program.

Both go through attn-opt's mods pipeline; what a file says about the bench's data is left out.
"""
import glob
import os
import re
import subprocess
import sys


def canonical(text, name):
    """The captures of a mod and what each of its programs yields, as one expression: independent operations have
    no order."""
    command = ["attn-opt", "--attn-mods-pipeline", "-"]
    text = subprocess.run(command, input=text, check=True, capture_output=True, text=True).stdout
    # The mod alone, down to the brace that closes it.
    mod = re.search(rf"^  attn\.mod @{name}\b.*?(?=^  (?:attn|func)\.|^}})", text, re.M | re.S).group(0)
    # What a file says about the bench's data.
    mod = re.sub(r" \{attn\.data.*?\}(?=[,)])", "", mod).replace(" attributes {attn.fold_batch}", "")
    program = []
    values = {}
    for line in mod.strip().split("\n"):
        line = re.sub(r"%[\w.#]+", lambda use: values.get(use.group(0), use.group(0)), line.strip())
        defined = re.fullmatch(r"(%[\w.#]+) = (.*)", line)
        if defined:
            values[defined.group(1)] = f"({defined.group(2)})"
        else:
            program.append(line)
            values = {} if line.startswith("}") else values
    return "\n".join(program)


def main():
    record, directory = sys.argv[1:]
    files = sorted(glob.glob(os.path.join(directory, "*.mlir")))
    for file in files:
        name = os.path.splitext(os.path.basename(file))[0]
        with open(file) as source:
            expected = canonical(source.read(), name)
        recorded = subprocess.run([record, name], check=True, capture_output=True, text=True).stdout
        got = canonical(recorded, name)
        if got != expected:
            return f"{name}: expects\n{expected}\ngot\n{got}"
    print(f"{len(files)} mods agree")
    return len(files) == 0


sys.exit(main())
