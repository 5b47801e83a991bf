// exp2, exp, expm1, sinh and cosh of f32. Polynomials are minimax fits of
// relative error for the interval that is named.
#include "Functions.h"

using namespace mlir;
using namespace mlir::attn;

/// 1.5 * 2^23: adding it rounds to an integer, which is left in the low bits.
static constexpr double roundingShift = 12582912.0;

/// ln 2 in two parts; multiples of the first by 10-bit integers are exact.
static constexpr double ln2High = 0.693145751953125,
                        ln2Low = 1.428606820309417e-06;

/// 2^n for an i32 from -126 to 127.
static Number powerOfTwo(Number n) { return ((n + 127) << 23).asFloat(); }

Number mlir::attn::exp2Of(Number x) {
  // 2^(1 + r) for r in [-1/2, 1/2], relative error 1.9e-9: twice the power, so
  // that the factor 2^(n - 1) is a number up to n = 128.
  static const double coefficients[] = {2.0,
                                        1.3862944114,
                                        0.4804529378,
                                        0.11100657554,
                                        0.019236977914,
                                        0.002679986244,
                                        0.0003069162402};
  // At -126 the factor becomes 0, from 128 on the result is infinite.
  x = x.clampedFrom(-126).clampedTo(128);
  Number shifted = x + roundingShift;
  Number n = shifted - roundingShift;
  Number sum = polynomial(x - n, coefficients);
  // The low bits of `shifted` count from the bits of the shift itself, which
  // the shift to the exponent drops.
  Number half = ((shifted.bits() + 126) << 23).asFloat();
  return sum * half;
}

namespace {
/// e^x = 2^n (1 + p), |p| < 0.42. `n` is an i32.
struct Exponential {
  Number n, p;
};
} // namespace

static Exponential exponential(Number x) {
  // (e^r - 1 - r) / r^2 on [-0.3467, 0.3467], error 2^-32 of e^r - 1.
  static const double coefficients[] = {
      0.50000000464871419,   0.16666666817219788,   0.041666354334755989,
      0.0083332730228548729, 0.0013941035852126373, 0.0001991418478311076};
  Number shifted = x.fma(1.4426950408889634, roundingShift);
  Number n = shifted - roundingShift;
  Number r = n.fma(-ln2Low, n.fma(-ln2High, x));
  Number p = (r * r).fma(polynomial(r, coefficients), r);
  return {shifted.bits() - shifted.constant(roundingShift).bits(), p};
}

/// e^x * 2^shift. The power comes in two factors, of which only the last
/// product may leave the normal numbers.
static Number scaledExp(Number x, int64_t shift) {
  auto [n, p] = exponential(x.clampedFrom(-104).clampedTo(90));
  Number half = n.shiftedRight(1);
  return (p + 1.0) * powerOfTwo(half) * powerOfTwo(n - half + n.integer(shift));
}

Number mlir::attn::expOf(Number x) { return scaledExp(x, 0); }

Number mlir::attn::expm1Of(Number x) {
  auto [n, p] = exponential(x.clampedFrom(-30).clampedTo(89));
  // Half of it, since 2^128 is no number.
  Number half = powerOfTwo(n - n.integer(1));
  Number result = half.fma(p, half - 0.5) * 2.0;
  return (x.abs() < 0x1p-25).select(x, result);
}

Number mlir::attn::sinhOf(Number x) {
  Number size = x.abs(), e = expm1Of(size);
  Number near = (e + e / (e + 1.0)) * 0.5;
  return (size > 40.0).select(scaledExp(size, -1), near).withSignOf(x);
}

Number mlir::attn::coshOf(Number x) {
  Number half = scaledExp(x.abs(), -1);
  return half + half.constant(0.25) / half;
}
