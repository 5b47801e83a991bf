"""Derivatives of random score programs, in three steps:

    random_derivatives.py | attn-opt ... | mlir-runner ... | random_derivatives.py --check

ATTN_FUZZ_SEED is the first program's seed, ATTN_FUZZ_DERIVATIVES how many there are, in both steps. Each row of an
attention sees one key, so its LSE is the score program at one pair, the gradient of its query the program's derivative,
and that of a captured number the sum of what all rows add to it.

What is expected comes from the values of operations alone: a program is evaluated here in f64, each operation's
derivatives are central differences of that operation, and the chain rule multiplies them. How much of the result
rounding may change is found by evaluating with small random errors in each operation. A row that is near a kink, or
too sensitive, gets a score of its own anew, and sees no key if that does not help.
"""

import collections
import math
import os
import random
import re
import struct
import sys

B, H, M, N = 2, 2, 3, 4  # batch, heads, queries, keys
ROWS = [(b, h, q) for b in range(B) for h in range(H) for q in range(M)]
SIZE = 3  # of each dimension of a table

HALF, BRAIN = 2.0**-11, 2.0**-8
PRECISION = {"f32": 2.0**-23, "f16": HALF, "bf16": BRAIN}


def f32(x):
    return struct.unpack("f", struct.pack("f", x))[0]


class Unsuitable(Exception):
    """The program cannot be compared at these operands."""


# How far operands are from a kink or a pole.


def apart(x, y):
    return abs(x - y)


def from_integer(x):
    return abs(x - round(x))


def from_half(x):
    return from_integer(x - 0.5)


def everywhere(*_):
    return math.inf


def atan2_apart(y, x):
    return max(abs(x), abs(y)) if x > 0 else min(abs(y), max(abs(x), abs(y)))


def power_apart(x, _):
    return x


def quotient_apart(x, y):
    return min(abs(y), from_integer(x / y)) if y else 0.0


def cbrt(x):
    return math.copysign(abs(x)**(1 / 3), x)


def clamp(x, low, high):
    return min(max(x, low), high)


def clamp_apart(x, low, high):
    return min(apart(x, low), apart(max(x, low), high))


# The domain says what the first operand is made of where it has to be special.
Op = collections.namedtuple("Op", "arity value distance domain")
FLOATS = {
    "arith.addf": Op(2, lambda x, y: x + y, everywhere, None),
    "arith.subf": Op(2, lambda x, y: x - y, everywhere, None),
    "arith.mulf": Op(2, lambda x, y: x * y, everywhere, None),
    "arith.divf": Op(2, lambda x, y: x / y, lambda x, y: abs(y), None),
    "arith.remf": Op(2, math.fmod, quotient_apart, None),
    "arith.negf": Op(1, lambda x: -x, everywhere, None),
    "arith.maximumf": Op(2, max, apart, None),
    "arith.minimumf": Op(2, min, apart, None),
    "arith.maxnumf": Op(2, max, apart, None),
    "arith.minnumf": Op(2, min, apart, None),
    "math.fma": Op(3, lambda x, y, z: x * y + z, everywhere, None),
    "math.clampf": Op(3, clamp, clamp_apart, None),
    "math.exp": Op(1, math.exp, everywhere, "bounded"),
    "math.exp2": Op(1, lambda x: 2.0**x, everywhere, "bounded"),
    "math.expm1": Op(1, math.expm1, everywhere, "bounded"),
    "math.log": Op(1, math.log, abs, "positive"),
    "math.log2": Op(1, math.log2, abs, "positive"),
    "math.log10": Op(1, math.log10, abs, "positive"),
    "math.log1p": Op(1, math.log1p, lambda x: x + 1, "positive"),
    "math.sqrt": Op(1, math.sqrt, abs, "positive"),
    "math.rsqrt": Op(1, lambda x: 1 / math.sqrt(x), abs, "positive"),
    "math.cbrt": Op(1, cbrt, abs, None),
    "math.powf": Op(2, math.pow, power_apart, "positive"),
    "math.sin": Op(1, math.sin, everywhere, None),
    "math.cos": Op(1, math.cos, everywhere, None),
    "math.tan": Op(1, math.tan, lambda x: abs(math.cos(x)), None),
    "math.asin": Op(1, math.asin, lambda x: 1 - abs(x), "within_one"),
    "math.acos": Op(1, math.acos, lambda x: 1 - abs(x), "within_one"),
    "math.atan": Op(1, math.atan, everywhere, None),
    "math.atan2": Op(2, math.atan2, atan2_apart, None),
    "math.sinh": Op(1, math.sinh, everywhere, "bounded"),
    "math.cosh": Op(1, math.cosh, everywhere, "bounded"),
    "math.tanh": Op(1, math.tanh, everywhere, None),
    "math.asinh": Op(1, math.asinh, everywhere, None),
    "math.acosh": Op(1, math.acosh, lambda x: x - 1, "above_one"),
    "math.atanh": Op(1, math.atanh, lambda x: 1 - abs(x), "within_one"),
    "math.erf": Op(1, math.erf, everywhere, None),
    "math.erfc": Op(1, math.erfc, everywhere, None),
    "math.absf": Op(1, abs, abs, None),
    "math.copysign": Op(2, math.copysign, lambda x, y: min(abs(x), abs(y)), None),
    "math.floor": Op(1, math.floor, from_integer, None),
    "math.ceil": Op(1, math.ceil, from_integer, None),
    "math.trunc": Op(1, math.trunc, from_integer, None),
    "math.round": Op(1, lambda x: math.copysign(math.floor(abs(x) + 0.5), x), from_half, None),
    "math.roundeven": Op(1, round, from_half, None),
}
# Those that are written and evaluated in their own ways.
OTHERS = ["math.fpowi", "math.sincos", "arith.select", "scf.if", "arith.sitofp", "arith.uitofp", "arith.fptosi",
          "arith.truncf", "arith.bitcast", "attn.load"]
NARROW = ["arith.addf", "arith.subf", "arith.mulf", "arith.divf", "arith.maximumf", "math.tanh", "math.sqrt",
          "math.fma", "arith.negf", "math.absf"]
COMPARISONS = {
    "ogt": lambda x, y: x > y, "olt": lambda x, y: x < y, "oge": lambda x, y: x >= y, "ole": lambda x, y: x <= y,
    "sgt": lambda x, y: x > y, "slt": lambda x, y: x < y, "eq": lambda x, y: x == y, "ne": lambda x, y: x != y}


class Number:
    """A float with its derivatives by the score ("s") and captured numbers."""

    def __init__(self, value, by=None):
        self.value = value
        self.by = by or {}


class Machine:
    """Evaluates one row. `noise`: a source of errors, or None."""

    def __init__(self, environment, noise=None):
        self.values = dict(environment)
        self.noise = noise

    def result(self, value, by, kind="f32"):
        if not math.isfinite(value) or abs(value) > 300 or any(not abs(d) < 300 for d in by.values()):
            raise Unsuitable
        if self.noise:
            value *= 1 + 2 * PRECISION[kind] * self.noise.uniform(-1, 1)
        return Number(value, {k: d for k, d in by.items() if d})

    def apply(self, function, distance, operands, kind="f32"):
        """An operation on floats, by central differences of its own."""
        values = [x.value for x in operands]
        margin = 64 * PRECISION[kind] * max(1.0, *map(abs, values))
        try:
            if not distance(*values) > max(margin, 2e-3):
                raise Unsuitable
            value = float(function(*values))
            by = collections.defaultdict(float)
            for i, x in enumerate(operands):
                if not x.by:
                    continue
                step = 1e-6 * max(1.0, abs(x.value))
                up, down = ([*values[:i], x.value + d, *values[i + 1:]] for d in (step, -step))
                slope = (function(*up) - function(*down)) / (2 * step)
                for k, d in x.by.items():
                    by[k] += slope * d
        except (ArithmeticError, ValueError):
            raise Unsuitable from None
        return self.result(value, by, kind)


class Program:
    """A random score program: lines of text, and the steps that evaluate them."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.name = f"program_{seed}"
        self.names = 0
        self.used = set()
        # What is captured: numbers, a table of two dimensions, one of halves, and a table of places.
        self.numbers = {"x": "f32", "y": self.rng.choice(["f32", "f16"])}
        half = self.rng.choice(["f16", "bf16"])
        self.tables = {"t": ("f32", 2), "u": (half, 1)}
        grid = lambda: self.rng.randint(-160, 160) / 64  # exact in 16 bits
        self.captured = {n: grid() for n in self.numbers}
        for name, (_, rank) in self.tables.items():
            for place in range(SIZE**rank):
                self.captured[f"{name}{place}"] = grid()
        self.places = [self.rng.randint(-2, SIZE + 1) for _ in range(M)]
        must = [*FLOATS, *OTHERS][seed % (len(FLOATS) + len(OTHERS))]
        self.lines, self.steps = [], []
        self.floats, self.integers = ["s"], ["b", "h", "q", "kv"]
        for name, kind in self.numbers.items():
            self.floats.append(self.widened(name, kind))
        for _ in range(self.rng.randint(2, 6)):
            self.statement()
        self.statement(must)
        for _ in range(self.rng.randint(2, 8)):
            self.statement()
        self.lines.append(f"attn.yield %{self.sum()} : f32")

    # ---- emitting; a step is a function of a machine

    def fresh(self):
        self.names += 1
        return f"v{self.names}"

    def emit(self, text, step, results=1):
        names = [self.fresh() for _ in range(results)]
        self.lines.append(", ".join("%" + n for n in names) + " = " + text)
        self.used.add(text.split()[0])

        def run(machine):
            values = step(machine)
            for name, value in zip(names, values if results > 1 else [values]):
                machine.values[name] = value

        self.steps.append(run)
        return names if results > 1 else names[0]

    def constant(self, value):
        value = f32(value)
        return self.emit(f"arith.constant {value:.9e} : f32", lambda m: Number(value))

    def integer(self, value):
        return self.emit(f"arith.constant {value} : i32", lambda m: value)

    def simple(self, op, operands, kind="f32"):
        spec = FLOATS[op]
        names = ", ".join("%" + x for x in operands)
        if op == "math.clampf":
            names = "%{} to [%{}, %{}]".format(*operands)
        return self.emit(f"{op} {names} : {kind}", lambda m: m.apply(
            spec.value, spec.distance, [m.values[x] for x in operands], kind))

    def widened(self, name, kind):
        if kind == "f32":
            return name
        return self.emit(f"arith.extf %{name} : {kind} to f32", lambda m: m.values[name])

    def narrowed(self, name, kind):
        """Rounding is an error of the value, not a step."""
        def step(m):
            x = m.values[name]
            return m.result(x.value, x.by, kind)
        return self.emit(f"arith.truncf %{name} : f32 to {kind}", step)

    def some_float(self):
        # Of what is new, so that programs are deep.
        if self.rng.random() < 0.12:
            return self.constant(self.rng.choice([-2, -0.7, 0.3, 0.9, 1.5]))
        newest = self.floats[-4:]
        return self.rng.choice(newest if self.rng.random() < 0.7 else self.floats)

    def prepared(self, domain):
        """A float that is in the domain."""
        x = self.some_float()
        if domain == "bounded" or domain == "within_one":
            x = self.simple(self.rng.choice(["math.sin", "math.tanh"]), [x])
            return self.simple("arith.mulf", [x, self.constant(0.9 if domain == "within_one" else 1.7)])
        if domain:
            x = self.simple("arith.mulf", [x, x])
            return self.simple("arith.addf", [x, self.constant(0.2 if domain == "positive" else 1.2)])
        return x

    def sum(self):
        """Of some floats; the last ones are among them."""
        total = self.floats[-1]
        for x in self.floats[-3:-1] + self.rng.sample(self.floats, min(3, len(self.floats))):
            total = self.simple("arith.addf", [total, x])
        return total

    # ---- statements

    def statement(self, op=None, depth=0):
        op = op or self.rng.choice([*FLOATS, *OTHERS, "scf.if", "arith.select", "attn.load", "attn.load", "narrow"])
        if op == "narrow":
            return self.narrow_operation()
        if op not in FLOATS:
            method = getattr(self, "emit_" + op.split(".")[1].replace("if", "branch"))
            return method(depth) if op == "scf.if" else method()
        spec = FLOATS[op]
        operands = [self.prepared(spec.domain)]
        while len(operands) < spec.arity:
            operands.append(self.some_float())
        self.floats.append(self.simple(op, operands))

    def narrow_operation(self):
        kind, op = self.rng.choice(["f16", "f16", "bf16"]), self.rng.choice(NARROW)
        operands = [self.narrowed(self.prepared(FLOATS[op].domain), kind)]
        while len(operands) < FLOATS[op].arity:
            operands.append(self.narrowed(self.some_float(), kind))
        self.floats.append(self.widened(self.simple(op, operands, kind), kind))

    def emit_truncf(self):
        kind = self.rng.choice(["f16", "bf16"])
        self.floats.append(self.widened(self.narrowed(self.some_float(), kind), kind))

    def emit_fpowi(self):
        n, x = self.rng.choice([-2, -1, 0, 1, 2, 3]), self.some_float()
        power = self.integer(n)
        self.floats.append(self.emit(f"math.fpowi %{x}, %{power} : f32, i32", lambda m: m.apply(
            lambda v: v**n, (lambda v: abs(v)) if n < 0 else everywhere, [m.values[x]])))

    def emit_sincos(self):
        x = self.some_float()
        self.floats += self.emit(f"math.sincos %{x} : f32", lambda m: [
            m.apply(f, everywhere, [m.values[x]]) for f in (math.sin, math.cos)], results=2)

    def emit_sitofp(self):
        i = self.some_integer()
        self.floats.append(self.emit(f"arith.sitofp %{i} : i32 to f32", lambda m: Number(float(m.values[i]))))

    def emit_uitofp(self):
        i = self.rng.choice(["b", "h", "q", "kv"])
        self.floats.append(self.emit(f"arith.uitofp %{i} : i32 to f32", lambda m: Number(float(m.values[i]))))

    def emit_bitcast(self):
        """There and back through an integer: a number without derivatives."""
        x = self.some_float()
        bits = self.emit(f"arith.bitcast %{x} : f32 to i32", lambda m: m.values[x].value)
        self.floats.append(self.emit(f"arith.bitcast %{bits} : i32 to f32", lambda m: m.result(m.values[bits], {})))

    def emit_fptosi(self):
        x = self.prepared("bounded")

        def step(m):
            value = m.values[x].value
            if from_integer(value) < 2e-3:
                raise Unsuitable
            return int(value)
        self.integers.append(self.emit(f"arith.fptosi %{x} : f32 to i32", step))
        self.emit_load()

    def some_integer(self):
        a, c = self.rng.choice(self.integers), self.rng.choice(self.integers)
        op = self.rng.choice([None, "addi", "subi", "muli", "minsi", "maxsi"])
        if op is None:
            return a
        function = {"addi": lambda x, y: x + y, "subi": lambda x, y: x - y, "muli": lambda x, y: x * y,
                    "minsi": min, "maxsi": max}[op]

        def step(m):
            value = function(m.values[a], m.values[c])
            if abs(value) > 1000:
                raise Unsuitable
            return value
        name = self.emit(f"arith.{op} %{a}, %{c} : i32", step)
        self.integers.append(name)
        return name

    def some_place(self):
        """Computed, so that it is clamped into the table."""
        if self.rng.random() < 0.4:
            place = self.emit("attn.load %places[%q] : tensor<?xi32>", lambda m: self.places[m.values["q"]])
        else:
            a, c = self.rng.choice(self.integers), self.integer(self.rng.randint(-1, 1))
            place = self.emit(f"arith.addi %{a}, %{c} : i32", lambda m: m.values[a] + m.values[c])
        return place

    def emit_load(self):
        table = self.rng.choice(list(self.tables))
        kind, rank = self.tables[table]
        places = [self.some_place() for _ in range(rank)]

        def step(m):
            at = 0
            for place in places:
                at = at * SIZE + min(max(m.values[place], 0), SIZE - 1)
            return m.values[f"{table}{at}"]
        indices, sizes = ", ".join("%" + p for p in places), "?x" * rank
        loaded = self.emit(f"attn.load %{table}[{indices}] : tensor<{sizes}{kind}>", step)
        self.floats.append(self.widened(loaded, kind))

    def some_condition(self):
        kind = self.rng.choice(["i32", "f32"])
        predicate = self.rng.choice([p for p in COMPARISONS if (p[0] == "o") == (kind == "f32")])
        function = COMPARISONS[predicate]
        if kind == "i32":
            a, c = self.some_integer(), self.rng.choice(self.integers)
            return self.emit(f"arith.cmpi {predicate}, %{a}, %{c} : i32",
                             lambda m: function(m.values[a], m.values[c]))
        a, c = self.some_float(), self.some_float()

        def step(m):
            x, y = m.values[a].value, m.values[c].value
            if a != c and not abs(x - y) > 4 * BRAIN * max(1.0, abs(x), abs(y)):
                raise Unsuitable
            return function(x, y)
        return self.emit(f"arith.cmpf {predicate}, %{a}, %{c} : f32", step)

    def emit_select(self):
        condition, x, y = self.some_condition(), self.some_float(), self.some_float()
        self.floats.append(self.emit(f"arith.select %{condition}, %{x}, %{y} : f32", lambda m: m.values[
            x if m.values[condition] else y]))

    def emit_branch(self, depth):
        condition, results = self.some_condition(), self.rng.randint(1, 2)
        sides = []
        for _ in range(2):
            outer = self.lines, self.steps, list(self.floats), list(self.integers)
            self.lines, self.steps = [], []
            for _ in range(self.rng.randint(0, 3)):
                self.statement(None if depth == 0 else self.rng.choice(list(FLOATS)), depth + 1)
            yielded = [self.sum(), self.some_float()][:results]
            sides.append((self.lines, self.steps, yielded))
            self.lines, self.steps, self.floats, self.integers = outer
        types = ", ".join(["f32"] * results)
        body = " else ".join("{\n" + "\n".join("  " + line for line in [
            *lines, f"scf.yield {', '.join('%' + x for x in yielded)} : {types}"]) + "\n}"
            for lines, _, yielded in sides)

        def step(m):
            _, steps, yielded = sides[0 if m.values[condition] else 1]
            for inner in steps:
                inner(m)
            values = [m.values[x] for x in yielded]
            return values if results > 1 else values[0]
        named = self.emit(f"scf.if %{condition} -> ({types}) {body}", step, results)
        self.floats += named if results > 1 else [named]

    # ---- evaluating

    def evaluate(self, row, s, noise=None):
        """The derivatives of the row's score."""
        (b, h, q), kv = row, self.key_of(row)
        environment = {"b": b, "h": h, "q": q, "kv": kv, "s": Number(s, {"s": 1.0})}
        for name, value in self.captured.items():
            environment[name] = Number(value, {name: 1.0})
        machine = Machine(environment, noise)
        for step in self.steps:
            step(machine)
        result = self.lines[-1].split()[1][1:]
        return machine.values[result].by

    def key_of(self, row):
        b, h, q = row
        return (b + 2 * h + q) % N

    def row_at(self, row, s):
        """Derivatives with what rounding may change of each. Raises Unsuitable."""
        exact = self.evaluate(row, s)
        allowed = collections.defaultdict(float)
        for i in range(6):
            rough = self.evaluate(row, s, random.Random(i))
            for k in {*exact, *rough}:
                allowed[k] = max(allowed[k], abs(rough.get(k, 0.0) - exact.get(k, 0.0)))
        bounds = {k: 6 * allowed[k] + 2e-5 * max(1.0, abs(exact.get(k, 0.0))) for k in allowed}
        if any(bound > 0.02 * max(1.0, abs(exact.get(k, 0.0))) for k, bound in bounds.items()):
            raise Unsuitable
        return exact, bounds

    def rows(self):
        """For each row its score and its derivatives with their bounds, or None."""
        result = []
        for row in ROWS:
            found = (f32(self.rng.gauss(0, 1)), None)
            for _ in range(8):
                s = f32(self.rng.gauss(0, 1.5))
                try:
                    found = (s, self.row_at(row, s))
                    break
                except Unsuitable:
                    pass
            result.append(found)
        return result


def programs(seed, count):
    """The first that can be compared, with their rows."""
    while count:
        program = Program(seed)
        rows = program.rows()
        seed += 1
        if sum(found is not None for _, found in rows) >= len(ROWS) // 2:
            count -= 1
            yield program, rows


# ---- the first step


def nested(values, shape):
    if not shape:
        return str(values[0]) if isinstance(values[0], int) else f"{values[0]:.9e}"
    part = len(values) // shape[0]
    return "[" + ", ".join(nested(values[i * part:(i + 1) * part], shape[1:]) for i in range(shape[0])) + "]"


def literal(values, shape, kind):
    type = f"tensor<{'x'.join(map(str, shape))}x{kind}>"
    return f"arith.constant dense<{nested(values, shape)}> : {type}", type


def shown(value, type, name):
    return [f"%{name}_any = tensor.cast %{value} : {type} to tensor<*xf32>",
            f"call @printMemrefF32(%{name}_any) : (tensor<*xf32>) -> ()"]


def function(program, rows):
    """Tables of places and of the keys that rows see come last."""
    types = [*program.numbers.values()]
    declared = [f"%{n}: {t}" for n, t in program.numbers.items()]
    lines = [f"%{n} = arith.constant {program.captured[n]:.9e} : {t}" for n, t in program.numbers.items()]
    results = ["f32"] * len(types)
    for name, (kind, rank) in program.tables.items():
        shape = [SIZE] * rank
        text, type = literal([program.captured[f"{name}{i}"] for i in range(SIZE**rank)], shape, kind)
        lines.append(f"%{name} = {text}")
        types.append(type)
        results.append(type.replace(kind, "f32"))
        declared.append(f"%{name}: tensor<{'?x' * rank}{kind}>")
    seen = [program.key_of(row) if found else -1 for row, (_, found) in zip(ROWS, rows)]
    for name, values, shape in (("places", program.places, [M]), ("seen", seen, [B, H, M])):
        text, type = literal(values, shape, "i32")
        lines.append(f"%{name} = {text}")
        types.append(type)
        declared.append(f"%{name}: tensor<{'?x' * len(shape)}i32>")
    names = ", ".join(d.split(":")[0] for d in declared)
    wrt = ", ".join(map(str, range(len(results))))
    query, qs = literal([s for s, _ in rows], [B, H, M, 1], "f32")
    ones, ks = literal([1.0] * (B * N), [B, 1, N, 1], "f32")
    grad_lse, ls = literal([1.0] * len(ROWS), [B, H, M], "f32")
    none, _ = literal([0.0] * len(ROWS), [B, H, M, 1], "f32")
    captures = ", ".join(types)
    lines += [
        f"%query = {query}", f"%ones = {ones}", f"%grad_lse = {grad_lse}", f"%none = {none}",
        f"%o, %l = attn.attention %query, %ones, %ones mod @{program.name}({names}) {{scale = 1.0 : f32}}",
        f"  : ({qs}, {ks}, {ks}, {captures}) -> ({qs}, {ls})",
        f"%g:{3 + len(results)} = attn.attention_backward %query, %ones, %ones, %o, %l, %none grad_lse(%grad_lse)",
        f"  mod @{program.name}({names}) {{scale = 1.0 : f32, wrt = array<i64: {wrt}>}}",
        f"  : ({qs}, {ks}, {ks}, {qs}, {ls}, {qs}, {ls}, {captures}) -> ({', '.join([qs, ks, ks, *results])})",
        *shown("g#0", qs, "dq")]
    for i, type in enumerate(results):
        value = f"g#{3 + i}"
        if type == "f32":
            lines.append(f"%of_{i} = tensor.from_elements %{value} : tensor<1xf32>")
            value, type = f"of_{i}", "tensor<1xf32>"
        lines += shown(value, type, f"dc_{i}")
    body = "\n    ".join("\n".join(program.lines).split("\n"))
    return f"""attn.mod @{program.name}({", ".join(declared)})
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {{
    {body}
  }} mask(%b: i32, %h: i32, %q: i32, %kv: i32) {{
    %key = attn.load %seen[%b, %h, %q] : tensor<?x?x?xi32>
    %keep = arith.cmpi eq, %kv, %key : i32
    attn.yield %keep : i1
  }}
func.func @check_{program.name}() {{
  """ + "\n  ".join(lines) + "\n  return\n}"


def emit(seed, count):
    print("func.func private @printMemrefF32(%t: tensor<*xf32>)")
    calls = []
    for program, rows in programs(seed, count):
        print(function(program, rows))
        calls.append(f"  call @check_{program.name}() : () -> ()")
    print("func.func @main() {", *calls, "  return", "}", sep="\n")


# ---- the last step


def numbers(text):
    return [float(x) for x in re.findall(r"-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|inf|nan)", text)]


def expected(program, rows):
    """The derivatives in the order in which they are printed, as (name, value, bound)."""
    result = []
    sums = {name: [0.0, 0.0] for name in program.captured}
    for row, (s, found) in zip(ROWS, rows):
        exact, bounds = found or ({}, {})
        result.append((f"s = {s} of row {row}", exact.get("s", 0.0), bounds.get("s", 0.0)))
        for name, total in sums.items():
            total[0] += exact.get(name, 0.0)
            total[1] += bounds.get(name, 0.0)
    return result + [(name, *total) for name, total in sums.items()]


def check(seed, count, text):
    printed = [numbers(part.split("data =")[1]) for part in text.split("Unranked Memref")[1:]]
    compared, nonzero, wrong, used, failed = 0, 0, [], set(), 0
    for program, rows in programs(seed, count):
        wanted = expected(program, rows)
        got = []
        while len(got) < len(wanted):
            got += printed.pop(0)
        errors = [f"  by {name}: expects {want} within {bound:.1e}, got {value}"
                  for (name, want, bound), value in zip(wanted, got)
                  if not abs(value - want) <= bound + 1e-6 * abs(want)]
        if errors:
            wrong += ["", f"{program.name}:", *program.lines, *errors]
        failed += len(errors)
        compared += len(wanted)
        nonzero += sum(want != 0 for _, want, _ in wanted)
        used |= program.used
    assert not printed
    print("\n".join(wrong))
    missing = [op for op in [*FLOATS, *OTHERS] if op not in used]
    if missing:
        print("without " + ", ".join(missing))
    print(f"{count} programs of {len(used)} operations: {compared} derivatives, {nonzero} not zero, {failed} wrong")
    return 1 if failed else 0


if __name__ == "__main__":
    first = int(os.environ.get("ATTN_FUZZ_SEED", 1))
    wanted = int(os.environ.get("ATTN_FUZZ_DERIVATIVES", 30))
    sys.exit(check(first, wanted, sys.stdin.read()) if sys.argv[1:] == ["--check"] else emit(first, wanted))
