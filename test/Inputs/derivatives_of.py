"""Derivatives of mods against central differences, in three steps:

    derivatives_of.py | attn-opt ... | mlir-runner ... | derivatives_of.py --check

With one key of 1 and a scale of 1 the LSE of a query is the score program of the query itself, so its gradient is the
program's derivative, and that of a captured number c the derivative by c. Mods compute in f32: steps of 2^-7 of a
number give three digits, which a wrong rule does not have.
"""

import re
import sys

# name: (program of %s and %c that ends in %t, values of s, value of c)
EVERYWHERE = [-2.3, -0.7, -0.2, 0.3, 0.6, 1.7, 4.1]
POSITIVE = [0.05, 0.3, 0.9, 1.7, 5.3]
WITHIN_ONE = [-0.8, -0.3, 0.2, 0.7]


def unary(op, points):
    return (f"%t = {op} %s : f32", points, 1.0)


def binary(op, points=EVERYWHERE, c=1.3):
    return (f"%t = {op} %s, %c : f32", points, c)


PROGRAMS = {
    "addf": binary("arith.addf"),
    "subf": binary("arith.subf"),
    "subf_from": ("%t = arith.subf %c, %s : f32", EVERYWHERE, 0.4),
    "mulf": binary("arith.mulf"),
    "square": ("%t = arith.mulf %s, %s : f32", EVERYWHERE, 1.0),
    "divf": binary("arith.divf"),
    "divf_by": ("%t = arith.divf %c, %s : f32", EVERYWHERE, 1.9),
    "remf": binary("arith.remf", [-2.3, -0.7, 0.3, 1.7, 4.1], 1.3),
    "negf": unary("arith.negf", EVERYWHERE),
    "fma": ("%t = math.fma %s, %c, %s : f32", EVERYWHERE, 0.7),
    "maximumf": binary("arith.maximumf", c=0.45),
    "minimumf": binary("arith.minimumf", c=0.45),
    "maxnumf": binary("arith.maxnumf", c=0.45),
    "minnumf": binary("arith.minnumf", c=0.45),
    "maxnumf_of_nan": (
        "%nan = arith.constant 0x7fc00000 : f32\n%t = arith.maxnumf %nan, %s : f32", EVERYWHERE, 1.0),
    "clampf": ("%low = arith.constant -0.5 : f32\n%t = math.clampf %s to [%low, %c] : f32", EVERYWHERE, 1.1),
    "clampf_low": ("%high = arith.constant 3.0 : f32\n%t = math.clampf %s to [%c, %high] : f32", EVERYWHERE, 0.1),
    "clampf_crossed": ("%high = arith.constant 0.5 : f32\n%t = math.clampf %s to [%c, %high] : f32", EVERYWHERE, 1.5),
    "exp": unary("math.exp", EVERYWHERE),
    "exp2": unary("math.exp2", EVERYWHERE),
    "expm1": unary("math.expm1", EVERYWHERE),
    "log": unary("math.log", POSITIVE),
    "log2": unary("math.log2", POSITIVE),
    "log10": unary("math.log10", POSITIVE),
    "log1p": unary("math.log1p", POSITIVE),
    "sqrt": unary("math.sqrt", POSITIVE),
    "rsqrt": unary("math.rsqrt", POSITIVE),
    "cbrt": unary("math.cbrt", [-2.3, -0.7, 0.3, 1.7]),
    "powf": binary("math.powf", POSITIVE, 1.7),
    "powf_square": ("%two = arith.constant 2.0 : f32\n%t = math.powf %s, %two : f32", EVERYWHERE, 1.0),
    "fpowi": ("%n = arith.constant 3 : i32\n%t = math.fpowi %s, %n : f32, i32", EVERYWHERE, 1.0),
    "fpowi_negative": ("%n = arith.constant -2 : i32\n%t = math.fpowi %s, %n : f32, i32", EVERYWHERE, 1.0),
    "sin": unary("math.sin", EVERYWHERE),
    "cos": unary("math.cos", EVERYWHERE),
    "sincos": ("%x, %y = math.sincos %s : f32\n%z = arith.mulf %x, %c : f32\n%t = arith.addf %y, %z : f32",
               EVERYWHERE, 0.3),
    "tan": unary("math.tan", [-1.1, -0.4, 0.3, 0.9]),
    "asin": unary("math.asin", WITHIN_ONE),
    "acos": unary("math.acos", WITHIN_ONE),
    "atan": unary("math.atan", EVERYWHERE),
    "atan2": binary("math.atan2"),
    "atan2_of": ("%t = math.atan2 %c, %s : f32", EVERYWHERE, 1.3),
    "sinh": unary("math.sinh", EVERYWHERE),
    "cosh": unary("math.cosh", EVERYWHERE),
    "tanh": unary("math.tanh", EVERYWHERE),
    "asinh": unary("math.asinh", EVERYWHERE),
    "acosh": unary("math.acosh", [1.4, 2.3, 5.1]),
    "atanh": unary("math.atanh", WITHIN_ONE),
    "erf": unary("math.erf", EVERYWHERE),
    "erfc": unary("math.erfc", EVERYWHERE),
    "absf": unary("math.absf", EVERYWHERE),
    "copysign": binary("math.copysign", c=-1.0),
    "copysign_of": ("%t = math.copysign %c, %s : f32", EVERYWHERE, 1.5),
    "floor": unary("math.floor", EVERYWHERE),
    "ceil": unary("math.ceil", EVERYWHERE),
    "round": unary("math.round", EVERYWHERE),
    "roundeven": unary("math.roundeven", EVERYWHERE),
    "trunc": unary("math.trunc", EVERYWHERE),
    "fptosi": ("%i = arith.fptosi %s : f32 to i32\n%f = arith.sitofp %i : i32 to f32\n"
               "%t = arith.mulf %f, %s : f32", EVERYWHERE, 1.0),
    "select": ("%keep = arith.cmpf ogt, %s, %c : f32\n%x = arith.mulf %s, %s : f32\n"
               "%t = arith.select %keep, %x, %s : f32", EVERYWHERE, 0.45),
    "half": ("%x = arith.truncf %s : f32 to f16\n%y = arith.extf %x : f16 to f32\n%t = arith.mulf %y, %c : f32",
             [-2.0, 0.5, 1.0], 1.3),
    "branch": ("""%zero = arith.constant 0.0 : f32
%later = arith.cmpf ogt, %s, %zero : f32
%e = math.exp %s : f32
%t, %u = scf.if %later -> (f32, f32) {
  %x = math.sin %e : f32
  %y = arith.mulf %x, %c : f32
  scf.yield %y, %s : f32, f32
} else {
  %inner = arith.cmpf ogt, %e, %c : f32
  %x = scf.if %inner -> f32 {
    %y = arith.mulf %e, %s : f32
    scf.yield %y : f32
  } else {
    scf.yield %c : f32
  }
  scf.yield %x, %zero : f32, f32
}""", EVERYWHERE[:-1], 0.6),
    "unused": ("%x = math.exp %s : f32\n%t = arith.mulf %c, %c : f32", EVERYWHERE, 1.3),
    "softcap": ("%x = arith.divf %s, %c : f32\n%y = math.tanh %x : f32\n%t = arith.mulf %y, %c : f32",
                EVERYWHERE, 2.5),
}


def step(x):
    return 2.0**-7 * max(0.25, abs(x))


def forward(name, queries, c, n):
    return f"""  %{name}_c = arith.constant {c:.9e} : f32
  %{name}_q = arith.constant dense<[[[{", ".join(f"[{x:.9e}]" for x in queries)}]]]> : tensor<1x1x{n}x1xf32>
  %{name}_o, %{name} = attn.attention %{name}_q, %one, %one mod @MOD(%{name}_c) {{scale = 1.0 : f32}}
    : (tensor<1x1x{n}x1xf32>, tensor<1x1x1x1xf32>, tensor<1x1x1x1xf32>, f32)
      -> (tensor<1x1x{n}x1xf32>, tensor<1x1x{n}xf32>)
"""


def emit():
    print("func.func private @printMemrefF32(%t: tensor<*xf32>)")
    for name, (program, points, c) in PROGRAMS.items():
        n = len(points)
        print(f"""attn.mod @{name}(%c: f32)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {{
{program}
    attn.yield %t : f32
  }}
func.func @check_{name}() {{
  %one = arith.constant dense<1.0> : tensor<1x1x1x1xf32>
  %ones = arith.constant dense<1.0> : tensor<1x1x{n}xf32>
  %none = arith.constant dense<0.0> : tensor<1x1x{n}x1xf32>""")
        text = forward("at", points, c, n)
        text += forward("up", [x + step(x) for x in points], c, n)
        text += forward("down", [x - step(x) for x in points], c, n)
        text += forward("cup", points, c + step(c), n)
        text += forward("cdown", points, c - step(c), n)
        print(text.replace("@MOD", "@" + name), end="")
        for value in ("up", "down", "cup", "cdown"):
            show(f"%{value}", f"tensor<1x1x{n}xf32>", value)
        row = f"tensor<1x1x{n}xf32>"
        query = f"tensor<1x1x{n}x1xf32>"
        key = "tensor<1x1x1x1xf32>"
        print(f"""  %dq, %dk, %dv, %dc = attn.attention_backward %at_q, %one, %one, %at_o, %at, %none grad_lse(%ones)
    mod @{name}(%at_c) {{scale = 1.0 : f32, wrt = array<i64: 0>}}
    : ({query}, {key}, {key}, {query}, {row}, {query}, {row}, f32) -> ({query}, {key}, {key}, f32)
  %dcs = tensor.from_elements %dc : tensor<1xf32>""")
        show("%dq", query, "dq")
        show("%dcs", "tensor<1xf32>", "dcs")
        print("  return\n}")
    print("func.func @main() {")
    for name in PROGRAMS:
        print(f"  call @check_{name}() : () -> ()")
    print("  return\n}")


def show(value, type, name):
    print(f"""  %{name}_any = tensor.cast {value} : {type} to tensor<*xf32>
  call @printMemrefF32(%{name}_any) : (tensor<*xf32>) -> ()""")


def numbers(text):
    return [float(x) for x in re.findall(r"-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|inf|nan)", text)]


def check(text):
    memories = [numbers(part.split("data =")[1]) for part in text.split("Unranked Memref")[1:]]
    worst, failed = 0.0, []
    assert len(memories) == 6 * len(PROGRAMS), len(memories)
    for i, (name, (_, points, c)) in enumerate(PROGRAMS.items()):
        up, down, cup, cdown, dq, dc = memories[6 * i:6 * i + 6]
        wanted = [(u - d) / (2 * step(x)) for u, d, x in zip(up, down, points)]
        by_c = sum((u - d) / (2 * step(c)) for u, d in zip(cup, cdown))
        for got, want, x in [*zip(dq, wanted, points), (dc[0], by_c, "c")]:
            error = abs(got - want) / max(1.0, abs(want))
            worst = max(worst, error)
            if not error < 4e-3:
                failed.append(f"{name} at {x}: expects {want}, got {got}")
    print("\n".join(failed))
    print(f"{len(PROGRAMS)} programs, {len(failed)} derivatives wrong, worst error {worst:.1e}")
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(check(sys.stdin.read()))
    emit()
