"""Gradients of whole attentions against central differences of the forward pass, in three steps:

    gradients_of.py | attn-opt ... | mlir-runner ... | gradients_of.py --check

With L = <out, grad_out> + <lse, grad_lse>, the gradient of an operand times a random direction is
(L(x + h d) - L(x - h d)) / 2h. Sizes are small and odd; heads share keys.
"""

import random
import re
import sys

B, H, HK, M, N, D, DV = 2, 4, 2, 5, 7, 3, 2
H_STEP = 2.0**-6

CAUSAL = """mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }"""
# name: (captures as (name, type, shape), programs, query_offset)
MODS = {
    "noop": ([], "", None),
    "causal": ([], CAUSAL, None),
    # The first query of a batch sees nothing, the last key is seen by nobody.
    "strictly": ([], """mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sgt, %q, %kv : i32
    attn.yield %keep : i1
  }""", None),
    "moved": ([], CAUSAL, [3, -1]),
    "alibi": ([("slopes", "f32", [H])], """score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %m = attn.load %slopes[%h] : tensor<?xf32>
    %d = arith.subi %kv, %q : i32
    %f = arith.sitofp %d : i32 to f32
    %x = arith.mulf %f, %m : f32
    %t = arith.addf %s, %x : f32
    attn.yield %t : f32
  } """ + CAUSAL, None),
    "softcap": ([("cap", "f32", None)], """score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = arith.divf %s, %cap : f32
    %y = math.tanh %x : f32
    %t = arith.mulf %y, %cap : f32
    attn.yield %t : f32
  } """ + CAUSAL, None),
    "bias": ([("bias", "f32", [H, M, N])], """score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %bias[%h, %q, %kv] : tensor<?x?x?xf32>
    %t = arith.addf %s, %x : f32
    attn.yield %t : f32
  }""", None),
    # A table of buckets, read where a branch is taken, by an index that is computed; and a temperature.
    "buckets": ([("table", "f32", [H, 3]), ("temperature", "f32", None)],
                """score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %c2 = arith.constant 2 : i32
    %d = arith.subi %q, %kv : i32
    %a = math.absi %d : i32
    %near = arith.cmpi sle, %a, %c2 : i32
    %w = scf.if %near -> f32 {
      %x = attn.load %table[%h, %a] : tensor<?x?xf32>
      %y = arith.addf %s, %x : f32
      scf.yield %y : f32
    } else {
      scf.yield %s : f32
    }
    %t = arith.mulf %w, %temperature : f32
    attn.yield %t : f32
  }""", None),
    # Places that are computed are clamped into the table.
    "outside": ([("table", "f32", [3, 2])], """score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %d = arith.subi %q, %kv : i32
    %e = arith.subi %kv, %h : i32
    %x = attn.load %table[%d, %e] : tensor<?x?xf32>
    %t = arith.mulf %s, %x : f32
    attn.yield %t : f32
  }""", None),
    # Factors of rows and columns; a score that the mask hides and whose derivative there is NaN.
    "factors": ([("rows", "f32", [M]), ("columns", "f32", [B, N])],
                """score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %r = attn.load %rows[%q] : tensor<?xf32>
    %c = attn.load %columns[%b, %kv] : tensor<?x?xf32>
    %f = arith.mulf %r, %c : f32
    %x = arith.mulf %s, %f : f32
    %d = arith.subi %q, %kv : i32
    %e = arith.sitofp %d : i32 to f32
    %root = math.sqrt %e : f32
    %t = arith.addf %x, %root : f32
    attn.yield %t : f32
  } """ + CAUSAL, None),
    # Distances beyond the table's ends meet in its last elements, heads share.
    "clamped": ([("table", "f32", [2, 3])], """score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %two = arith.constant 2 : i32
    %g = arith.divui %h, %two : i32
    %one = arith.constant 1 : i32
    %d = arith.subi %q, %kv : i32
    %i = arith.addi %d, %one : i32
    %x = attn.load %table[%g, %i] : tensor<?x?xf32>
    %t = arith.mulf %s, %x : f32
    attn.yield %t : f32
  }""", None),
    "without_s": ([("bias", "f32", [N])], """score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %bias[%kv] : tensor<?xf32>
    attn.yield %x : f32
  }""", None),
}


def product(shape):
    result = 1
    for size in shape or []:
        result *= size
    return result


def tensor(shape):
    return "f32" if shape is None else f"tensor<{'x'.join(map(str, shape))}xf32>"


def nested(values, shape):
    if not shape:
        return f"{values[0]:.9e}"
    part = len(values) // shape[0]
    return "[" + ", ".join(nested(values[i * part:(i + 1) * part], shape[1:]) for i in range(shape[0])) + "]"


def literal(values, shape):
    return f"arith.constant {values[0]:.9e} : f32" if shape is None else \
        f"arith.constant dense<{nested(values, shape)}> : {tensor(shape)}"


class Problem:
    """One mod with inputs, in the order of the operands, and a direction for each."""

    def __init__(self, name):
        self.name = name
        self.captures, self.programs, self.offset = MODS[name]
        rng = random.Random(name)
        self.shapes = [[B, H, M, D], [B, HK, N, D], [B, HK, N, DV]] + [shape for _, _, shape in self.captures]
        self.inputs = [[rng.gauss(0.8 if i >= 3 else 0, 0.3 if i >= 3 else 1) for _ in range(product(shape))]
                       for i, shape in enumerate(self.shapes)]
        self.directions = [[rng.choice([-1.0, 0.5, 1.0]) for _ in values] for values in self.inputs]
        self.grad_out = [rng.gauss(0, 1) for _ in range(B * H * M * DV)]
        self.grad_lse = [rng.gauss(0, 1) for _ in range(B * H * M)]

    def mod(self):
        if not self.programs:
            return ""
        names = ", ".join(f"%{n}: " + (t if s is None else "tensor<" + "?x" * len(s) + t + ">")
                          for n, t, s in self.captures)
        return f"attn.mod @{self.name}{'(' + names + ')' if names else ''}\n  {self.programs}\n"

    def clause(self, prefix):
        text = ""
        if self.programs:
            names = ", ".join(f"%{prefix}{i + 3}" for i in range(len(self.captures)))
            text = f"mod @{self.name}" + (f"({names})" if names else "")
        if self.offset:
            text += f" query_offset(%{prefix}offset)"
        return text

    def operands(self, prefix, moved=None, sign=0):
        text = ""
        for i, (values, shape) in enumerate(zip(self.inputs, self.shapes)):
            if i == moved:
                values = [x + sign * H_STEP * d for x, d in zip(values, self.directions[i])]
            text += f"  %{prefix}{i} = {literal(values, shape)}\n"
        if self.offset:
            text += f"  %{prefix}offset = arith.constant dense<{self.offset}> : tensor<{B}xi32>\n"
        return text

    def types(self):
        types = [tensor(shape) for shape in self.shapes]
        return types[:3], types[3:] + ([f"tensor<{B}xi32>"] if self.offset else [])

    def forward(self, prefix, moved=None, sign=0):
        tensors, rest = self.types()
        out, lse = tensor([B, H, M, DV]), tensor([B, H, M])
        return self.operands(prefix, moved, sign) + f"""\
  %{prefix}out, %{prefix}lse = attn.attention %{prefix}0, %{prefix}1, %{prefix}2 {self.clause(prefix)}
    : ({", ".join(tensors + rest)}) -> ({out}, {lse})
"""

    def function(self):
        text = f"func.func @check_{self.name}() {{\n" + self.forward("at")
        for i in range(len(self.inputs)):
            for sign, end in ((1, "up"), (-1, "down")):
                prefix = f"{end}{i}_"
                text += self.forward(prefix, i, sign)
                text += show(f"%{prefix}out", tensor([B, H, M, DV])) + show(f"%{prefix}lse", tensor([B, H, M]))
        tensors, rest = self.types()
        out, lse = tensor([B, H, M, DV]), tensor([B, H, M])
        count = len(self.inputs)
        wrt = ", ".join(map(str, range(count - 3)))
        results = [tensor(shape) for shape in self.shapes]
        text += f"""\
  %do = {literal(self.grad_out, [B, H, M, DV])}
  %dl = {literal(self.grad_lse, [B, H, M])}
  %g:{count} = attn.attention_backward %at0, %at1, %at2, %atout, %atlse, %do grad_lse(%dl) {self.clause("at")}
    {"{wrt = array<i64: " + wrt + ">}" if wrt else ""}
    : ({", ".join(tensors + [out, lse, out, lse] + rest)}) -> ({", ".join(results)})
"""
        for i, shape in enumerate(self.shapes):
            if shape is None:
                text += f"  %g{i} = tensor.from_elements %g#{i} : tensor<1xf32>\n" + show(f"%g{i}", "tensor<1xf32>")
            else:
                text += show(f"%g#{i}", tensor(shape))
        return text + "  return\n}\n"


def show(value, type):
    name = "%any_" + re.sub(r"\W", "_", value)
    return f"""  {name} = tensor.cast {value} : {type} to tensor<*xf32>
  call @printMemrefF32({name}) : (tensor<*xf32>) -> ()
"""


def emit():
    print("func.func private @printMemrefF32(%t: tensor<*xf32>)")
    for name in MODS:
        print(Problem(name).mod() + Problem(name).function())
    print("func.func @main() {")
    for name in MODS:
        print(f"  call @check_{name}() : () -> ()")
    print("  return\n}")


def numbers(text):
    return [float(x) for x in re.findall(r"-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|inf|nan)", text)]


def dot(xs, ys):
    return sum(x * y for x, y in zip(xs, ys) if y)


def check(text):
    memories = [numbers(part.split("data =")[1]) for part in text.split("Unranked Memref")[1:]]
    worst, failed, gradients = 0.0, [], 0
    for name in MODS:
        problem = Problem(name)
        losses = []
        for i in range(len(problem.inputs)):
            ends = []
            for _ in range(2):
                out, lse = memories.pop(0), memories.pop(0)
                finite = [x if abs(x) != float("inf") else 0.0 for x in lse]
                ends.append(dot(out, problem.grad_out) + dot(finite, problem.grad_lse))
            losses.append((ends[0] - ends[1]) / (2 * H_STEP))
        for i, wanted in enumerate(losses):
            gradient = memories.pop(0)
            got = dot(gradient, problem.directions[i])
            # Without the rounding of what cancels.
            size = max(1.0, abs(wanted), sum(map(abs, gradient)) / len(gradient)**0.5)
            error = abs(got - wanted) / size
            worst = max(worst, error)
            gradients += 1
            if not error < 2e-3:
                failed.append(f"{name}, operand {i}: expects {wanted}, got {got}")
    assert not memories
    print("\n".join(failed))
    print(f"{gradients} gradients, {len(failed)} wrong, worst error {worst:.1e}")
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(check(sys.stdin.read()))
    emit()
