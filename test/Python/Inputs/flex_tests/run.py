"""Runs tests of flex_attention that other projects have, with attn's functions in place of torch's.

    python3 test/Python/Inputs/flex_tests/run.py --set S=256 -o results.jsonl PYTORCH/test/inductor/test_flex_*.py

Needs torch, pytest and expecttest. The files are read where they are. Without a GPU they run on the CPU (copies.py).
Each test has a process and a time limit (plugin.py). Prints the table of docs/results/flex-attention-tests.md.
"""

import argparse
import os
import subprocess
import sys
import tempfile

import copies
import reasons

HERE = os.path.dirname(os.path.abspath(__file__))


def run(files, results, constants, options, on_gpu):
    with tempfile.TemporaryDirectory() as folder:
        for path in files:
            with open(path) as file:
                text = copies.changed(file.read(), on_gpu, constants)
            with open(os.path.join(folder, os.path.basename(path)), "w") as file:
                file.write(text)
        given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        path = os.pathsep.join([HERE, *(os.path.abspath(x) for x in given if x)])
        environment = {**os.environ, "PYTHONPATH": path, "FLEX_TESTS_RESULTS": os.path.abspath(results)}
        environment.update(ATTN_NUM_THREADS="1", OMP_NUM_THREADS="1")
        names = [os.path.basename(path) for path in files]
        command = [sys.executable, "-m", "pytest", "-q", "-p", "plugin", "-p", "no:cacheprovider", *names, *options]
        return subprocess.run(command, cwd=folder, env=environment).returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*")
    parser.add_argument("-o", "--output", required=True, help="a line of JSON for each test; what it has is not run")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="other sizes")
    parser.add_argument("-k", help="which tests, as for pytest")
    arguments = parser.parse_args()
    if arguments.files:
        import torch

        constants = dict(x.split("=", 1) for x in arguments.set)
        options = ["-k", arguments.k] if arguments.k else []
        run(arguments.files, arguments.output, constants, options, torch.cuda.is_available())
    print(reasons.table(reasons.read(arguments.output)))


if __name__ == "__main__":
    main()
