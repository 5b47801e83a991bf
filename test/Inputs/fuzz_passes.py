"""Runs what the lit tests run, on inputs that were changed at random, and reports crashes.

A crash is a signal, an error that LLVM does not return from, a stack dump, or a run without an end or
without a limit to its memory. An input that a pass refuses with a diagnostic is none. Each kind of crash (by the
functions on top of the stack) is reported once, with an input that was made smaller.

usage: fuzz_passes.py TEST_DIRECTORY [--seed N] [--mutants N] [--seconds N] [--jobs N] [--keep FOLDER] [--only TEXT]
                      [--replay]

The same seed gives the same mutants. --seconds ends a run early. --keep: where the inputs that crash go, with their
command in the first line; without it they are printed. --only: of the tests whose path has this text. --replay: the
tests' own inputs, unchanged, through each other's pipelines. Exit status 1 if anything crashed.
"""

import argparse
import os
import random
import re
import resource
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

SEPARATOR = "\n// -----\n"
BATCH = 25  # inputs that one process reads
TIMEOUT = 20  # seconds for a process
MEMORY = 4 << 30  # bytes of address space of a process
FATAL = ("LLVM ERROR", "Stack dump:", "Assertion `", "UNREACHABLE executed", "PLEASE submit a bug report")
# What decides how text is read is no part of a pipeline.
DROPPED = ("--split-input-file", "--verify-diagnostics", "--verify-roundtrip", "--mlir-print-op-generic")
NUMBERS = ["0", "1", "-1", "2", "3", "5", "7", "8", "9", "16", "17", "31", "32", "63", "64", "65", "127", "128", "129", "255",
           "256", "257", "1000", "65536", "2147483647", "2147483648", "4294967295", "9223372036854775807"]
TYPES = ["i1", "i8", "i16", "i32", "i64", "index", "f16", "bf16", "f32", "f64", "tensor<f32>", "tensor<7x5xf32>", "vector<4xf32>",
         "tensor<64x64xbf16>", "tensor<?xf32>", "memref<?xf32>", "memref<f32>", "memref<?x?x?x64xbf16>", "none",
         "!tile.ring<2 x tensor<64x64xbf16>>", "!tile.ring<2 x tensor<1xi64>>"]
TOKEN = re.compile(r'"[^"\n]*"|[%@#!^][\w.$-]+|[A-Za-z_][\w.$]*|-?\d+(?:\.\d+(?:e[+-]?\d+)?)?|->|::|\s+|.', re.S)


def pipelines_of(path):
    """The arguments of each attn-opt at the head of a RUN line."""
    text = open(path).read()
    lines = re.findall(r"RUN:[ \t]*(.*)", re.sub(r"\\\n//[ \t]*RUN:", "", text))
    for line in lines:
        try:
            words = shlex.split(line.split("|")[0].split(" 2>")[0])
        except ValueError:
            continue
        if "attn-opt" not in words or "not" in words:
            continue
        words = words[words.index("attn-opt") + 1:]
        words = [w for w in words if w not in DROPPED and not w.startswith("%")]
        if "-o" in words:
            del words[words.index("-o"):words.index("-o") + 2]
        yield tuple(words)


def corpus_of(directory, only):
    """The inputs, each with the pipelines of its test, and all pipelines."""
    inputs, pipelines = [], set()
    for folder, _, files in sorted(os.walk(directory)):
        for name in sorted(files):
            path = os.path.join(folder, name)
            if not name.endswith(".mlir") or "Inputs" in path:
                continue
            own = sorted(set(pipelines_of(path)))
            if not own:
                continue
            pipelines.update(own)
            if only and only not in path:
                continue
            code = re.sub(r"^\s*//(?! -----).*\n", "", open(path).read(), flags=re.M)
            for part in code.split("// -----"):
                if part.strip():
                    inputs.append((part.strip() + "\n", own))
    return inputs, sorted(pipelines)


# ---- mutation ----------------------------------------------------------------------------------------------------------


def mutate_token(rng, tokens):
    places = [i for i, t in enumerate(tokens) if t.strip()]
    i = rng.choice(places)
    token = tokens[i]
    kind = token[0]
    alike = [t for t in tokens if t[0] == kind and t != token]
    if re.fullmatch(r"-?\d+", token) and rng.random() < 0.8:
        tokens[i] = rng.choice(NUMBERS)
    elif token in TYPES and rng.random() < 0.7:
        tokens[i] = rng.choice(TYPES)
    elif alike and rng.random() < 0.7:
        tokens[i] = rng.choice(alike)
    elif rng.random() < 0.5:
        del tokens[i]
    else:
        j = rng.choice(places)
        tokens[i], tokens[j] = tokens[j], tokens[i]


def mutate_shape(rng, text):
    """A number within a shape: 64x128xf32 is one word to the tokens."""
    places = list(re.finditer(r"(?<=[<x ])(\d+|\?)(?=x)", text))
    if not places:
        return text
    place = rng.choice(places)
    return text[:place.start()] + rng.choice(NUMBERS[:24] + ["?"]) + text[place.end():]


def mutate_line(rng, text, other):
    lines = text.split("\n")
    i = rng.randrange(len(lines))
    action = rng.randrange(5)
    if action == 0:
        del lines[i]
    elif action == 1:
        lines.insert(rng.randrange(len(lines)), lines[i])
    elif action == 2:
        j = rng.randrange(len(lines))
        lines[i], lines[j] = lines[j], lines[i]
    elif action == 3:
        strangers = other.split("\n")
        lines.insert(i, rng.choice(strangers))
    else:  # an attribute goes
        lines[i] = re.sub(r"\{[^{}]*\}(?=\s*:|\s*$)", "", lines[i], count=1)
    return "\n".join(lines)


def mutate(rng, text, other):
    for _ in range(rng.choice([1, 1, 1, 2, 2, 3, 5])):
        chance = rng.random()
        if chance < 0.35:
            text = mutate_line(rng, text, other)
        elif chance < 0.55:
            text = mutate_shape(rng, text)
        else:
            tokens = TOKEN.findall(text)
            if any(t.strip() for t in tokens):
                mutate_token(rng, tokens)
            text = "".join(tokens)
        if not text.strip():
            return other
    return text


def mutate_options(rng, command):
    """The numbers of options."""
    return tuple(re.sub(r"(?<==)-?\d+", lambda _: rng.choice(NUMBERS), word) for word in command)


# ---- running -----------------------------------------------------------------------------------------------------------


def limit():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def crash_of(command, text):
    """What kind of crash `text` makes, or None."""
    try:
        done = subprocess.run(["attn-opt", *command, "--split-input-file", "-o", os.devnull, "-"], input=text, timeout=TIMEOUT,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", preexec_fn=limit)
    except subprocess.TimeoutExpired:
        return "no end"
    log = done.stderr
    if done.returncode in (0, 1) and not any(word in log for word in FATAL):
        return None
    if "out of memory" in log or "bad_alloc" in log:
        return "memory without a limit"
    # Of the functions on the stack, the first that are neither about signals nor operators of a template.
    frames = re.findall(r"^\s*#\d+ 0x[0-9a-f]+ ([^\n]*)", log, re.M)
    named = [re.sub(r" \(/.*| \S*\.cpp:\d.*|\(.*", "", f.replace("(anonymous namespace)::", "")).strip() for f in frames]
    named = [f for f in named if f and not re.search(r"^(/|llvm::sys::|__|raise|abort|gsignal)|^\W*$", f)]
    error = re.search(r"LLVM ERROR: [^\n]*", log)
    return " < ".join(([error.group(0)] if error else []) + named[:3]) or f"status {done.returncode}"


def smaller(command, text, kind, deadline):
    """Drops lines, then words, as long as the crash stays the same kind."""
    for split, join in ((lambda t: t.split("\n"), "\n".join), (TOKEN.findall, "".join)):
        parts = split(text)
        size = max(1, len(parts) // 2)
        while size:
            i = 0
            while i < len(parts) and time.time() < deadline:
                fewer = parts[:i] + parts[i + size:]
                if join(fewer).strip() and crash_of(command, join(fewer)) == kind:
                    parts = fewer
                else:
                    i += size
            size //= 2
        text = join(parts)
    return text


def find_crashes(job):
    command, texts = job
    if crash_of(command, SEPARATOR.join(texts)) is None:
        return []
    found = [(command, text, crash_of(command, text)) for text in texts]
    return [f for f in found if f[2]]


def jobs_of(arguments):
    """Without an end: a command and the inputs of one process."""
    inputs, pipelines = corpus_of(arguments.tests, arguments.only)
    if arguments.replay:
        for command in pipelines:
            for i in range(0, len(inputs), BATCH):
                yield command, [text for text, _ in inputs[i:i + BATCH]]
        return
    number = 0
    while True:
        rng = random.Random(f"{arguments.seed} {number}")
        number += 1
        text, own = rng.choice(inputs)
        command = rng.choice(own if rng.random() < 0.75 else pipelines)
        if rng.random() < 0.1:
            command = mutate_options(rng, command)
        others = [rng.choice(inputs)[0] for _ in range(BATCH)]
        yield command, [mutate(rng, text, other) for other in others]


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("tests")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mutants", type=int, default=10**9)
    parser.add_argument("--seconds", type=float, default=10**9)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--keep")
    parser.add_argument("--only")
    parser.add_argument("--replay", action="store_true")
    arguments = parser.parse_args()
    end = time.time() + arguments.seconds
    kinds, tried = {}, 0
    jobs = jobs_of(arguments)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        more = True
        while more and tried < arguments.mutants and time.time() < end:
            turn = [job for _, job in zip(range(4 * arguments.jobs), jobs)]
            more = bool(turn)
            tried += sum(len(texts) for _, texts in turn)
            for found in pool.map(find_crashes, turn):
                for command, text, kind in found:
                    kinds.setdefault(kind, (command, text))
    for number, (kind, (command, text)) in enumerate(sorted(kinds.items())):
        text = smaller(command, text, kind, time.time() + 60)
        if crash_of(command, text) != kind:
            text = kinds[kind][1]
        line = "// attn-opt " + shlex.join(command)
        print(f"crash: {kind}\n{line}\n{text}\n", flush=True)
        if arguments.keep:
            os.makedirs(arguments.keep, exist_ok=True)
            with open(os.path.join(arguments.keep, f"crash{number}.mlir"), "w") as file:
                file.write(f"{line}\n// {kind}\n{text}\n")
    print(f"{tried} inputs, {len(kinds)} kinds of crash")
    sys.exit(1 if kinds else 0)


main()
