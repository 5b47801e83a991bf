// Logarithms of f32, and the inverse hyperbolic functions made of them.
#include "Functions.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlir::attn;

static constexpr double infinity = std::numeric_limits<double>::infinity();
static constexpr double ln2 = 0.6931471805599453;

namespace {
/// x = 2^exponent * (1 + t), with ln(1 + t) = t + rest; of t the sum of
/// `high`, which has 12 bits, and `low`.
struct Decomposition {
  Number exponent, t, rest;
};

/// A constant as a sum whose first part has `bits` bits.
struct TwoParts {
  double high, low;
  TwoParts(double x, int bits) {
    int exponent;
    double fraction = std::frexp(x, &exponent);
    high = std::ldexp(std::round(std::ldexp(fraction, bits)), exponent - bits);
    low = x - high;
  }
};
} // namespace

/// Of a positive number; anything for others.
static Decomposition decompose(Number x) {
  // (ln(1 + t) - t + t^2 / 2) / t^3 from 1 + t = sqrt(1/2) to sqrt(2), error
  // 2^-30 of t.
  static const double coefficients[] = {
      0.33333310430749979,  -0.24999986771543609, 0.20002227631727817,
      -0.16669241336154583, 0.14218624741386007,  -0.12384505290792265,
      0.11873418954737357,  -0.11789004268239874, 0.069132887313241395};
  Number isSubnormal = x < 0x1p-126;
  x = isSubnormal.select(x * 0x1p23, x);
  Number bits = x.bits();
  Number n = (bits - x.constant(0.70710678).bits()).shiftedRight(23);
  Number t = (bits - (n << 23)).asFloat() - 1.0;
  n = isSubnormal.select(n - n.integer(23), n);
  Number square = t * t;
  Number rest = (square * t).fma(polynomial(t, coefficients), square * -0.5);
  return {n.toFloat(x.elementType()), t, rest};
}

/// The values at the ends of the range and beyond.
static Number withLimits(Number x, Number result) {
  result = (x == 0.0).select(-infinity, result);
  result = (x < 0.0).select(std::nan(""), result);
  return (x < infinity).select(result, x);
}

Number mlir::attn::logOf(Number x) {
  TwoParts scale(ln2, 16);
  auto [n, t, rest] = decompose(x);
  Number small = t + n.fma(scale.low, rest);
  return withLimits(x, n.fma(scale.high, small));
}

/// log(x) / log(base): `perOctave` is that of 2.
static Number logarithm(Number x, double scale, double perOctave) {
  TwoParts octave(perOctave, 15), factor(scale, 12);
  auto [n, t, rest] = decompose(x);
  // The product of the first parts is exact.
  Number high = (t.bits() & ~int64_t(0xfff)).asFloat();
  Number low = (t - high) + rest;
  Number small = low.fma(scale, high * factor.low);
  small = n.fma(octave.low, small);
  Number large = high * factor.high;
  Number sum = n.fma(octave.high, large);
  // What the sum lost of `large`, which is the smaller one unless n is zero.
  Number lost = large - (sum - n * octave.high);
  return withLimits(x, sum + (small + lost));
}

Number mlir::attn::log2Of(Number x) { return logarithm(x, 1 / ln2, 1); }

Number mlir::attn::log10Of(Number x) {
  return logarithm(x, 0.43429448190325182, 0.30102999566398120);
}

Number mlir::attn::log1pOf(Number x) {
  Number sum = x + 1.0;
  Number lost = (x - (sum - 1.0)) / sum;
  Number isNormal = (sum > 0.0) & (sum < infinity);
  Number result = logOf(sum) + isNormal.select(lost, 0.0);
  return (x.abs() < 0x1p-25).select(x, result);
}

/// ln(1 + near), or ln(2 size) where size is large.
static Number logOfSum(Number size, Number near) {
  Number isLarge = size > 0x1p14;
  return log1pOf(isLarge.select(size - 1.0, near)) +
         isLarge.select(size.constant(ln2), 0.0);
}

Number mlir::attn::asinhOf(Number x) {
  Number size = x.abs(), square = size * size;
  Number near = size + square / ((square + 1.0).sqrt() + 1.0);
  return logOfSum(size, near).withSignOf(x);
}

Number mlir::attn::acoshOf(Number x) {
  Number t = x - 1.0;
  Number result = logOfSum(x, t + (t * (t + 2.0)).sqrt());
  return (x < 1.0).select(std::nan(""), result);
}

Number mlir::attn::atanhOf(Number x) {
  Number size = x.abs();
  Number ratio = size * 2.0 / (size.constant(1) - size);
  return (log1pOf(ratio) * 0.5).withSignOf(x);
}
