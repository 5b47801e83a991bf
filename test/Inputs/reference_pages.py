"""Writes the reference pages of dialects and passes from their TableGen files.

usage: reference_pages.py SOURCE_DIRECTORY OUTPUT_DIRECTORY

Needs mlir-tblgen, on the PATH or where Debian has it, and its include directory.
"""

import os
import shutil
import subprocess
import sys

LLVM = "/usr/lib/llvm-22"
DIALECT, PASSES = ["-gen-dialect-doc"], ["-gen-pass-doc"]
PAGES = [
    ("AttnDialect.md", "", DIALECT + ["-dialect=attn"], "Dialect/Attn/IR/AttnOps.td"),
    ("TileDialect.md", "", DIALECT + ["-dialect=tile"], "Dialect/Tile/IR/TileOps.td"),
    ("AttnPasses.md", "Passes on the attn dialect", PASSES, "Dialect/Attn/Transforms/Passes.td"),
    ("TilePasses.md", "Passes on the tile dialect", PASSES, "Dialect/Tile/Transforms/Passes.td"),
    ("Conversions.md", "Conversions", PASSES, "Conversion/Passes.td"),
]


def page(source, title, options, file):
    """The text of a page: what TableGen says, with one title and no contents."""
    program = shutil.which("mlir-tblgen") or f"{LLVM}/bin/mlir-tblgen"
    include = os.path.join(source, "include")
    command = [program, "-I", f"{LLVM}/include", "-I", include, *options, os.path.join(include, "attn", file)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    note, body = text.split("\n", 1)
    body = body.replace("[TOC]\n\n", "").strip()
    note = f"<!-- Made of include/attn/{file} by ./dev reference -->"
    return "\n\n".join([note] + ([f"# {title}"] if title else []) + [body]) + "\n"


def main():
    source, output = sys.argv[1:]
    os.makedirs(output, exist_ok=True)
    for name, title, options, file in PAGES:
        with open(os.path.join(output, name), "w") as out:
            out.write("\n".join(line.rstrip() for line in page(source, title, options, file).split("\n")))


main()
