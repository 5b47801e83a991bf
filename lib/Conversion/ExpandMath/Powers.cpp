// Powers and roots of f32, by logarithms in f64, which leave an error of
// little more than the last rounding; and powers of integers.
#include "Functions.h"

#include "mlir/IR/Matchers.h"

#include <array>
#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlir::attn;

static constexpr double infinity = std::numeric_limits<double>::infinity();
static constexpr double ln2 = 0.6931471805599453;

/// log2 of a positive finite f32 as an f64, to about 2^-45: with s = (m - 1) /
/// (m + 1) and m from sqrt(1/2) to sqrt(2), 2 / ln 2 * (s + s^3 / 3 + ...).
static Number wideLog2(Number x) {
  static const auto coefficients = [] {
    std::array<double, 10> c;
    for (size_t k = 0; k < c.size(); ++k)
      c[k] = 2 / ln2 / (2.0 * static_cast<double>(k) + 1);
    return c;
  }();
  Number wide = x.toF64(), bits = wide.bits();
  Number n = (bits - wide.constant(0.7071067811865476).bits()).shiftedRight(52);
  Number m = (bits - (n << 52)).asFloat();
  Number s = (m - 1.0) / (m + 1.0), square = s * s;
  Number sum = square.constant(coefficients.back());
  for (size_t k = coefficients.size() - 1; k-- > 0;)
    sum = sum.fma(square, coefficients[k]);
  return sum.fma(s, n.truncated(32).toFloat(wide.elementType()));
}

/// 2^p of an f64, as an f32: 2^n (1 + ln 2 r + (ln 2 r)^2 / 2 + ...).
static Number narrowExp2(Number p) {
  static const auto coefficients = [] {
    std::array<double, 13> c;
    c[0] = 1;
    for (size_t k = 1; k < c.size(); ++k)
      c[k] = c[k - 1] * ln2 / static_cast<double>(k);
    return c;
  }();
  constexpr double shift = 6755399441055744.0; // 1.5 * 2^52
  p = p.clampedFrom(-200).clampedTo(200);
  Number shifted = p + shift;
  Number r = p - (shifted - shift);
  Number sum = r.constant(coefficients.back());
  for (size_t k = coefficients.size() - 1; k-- > 0;)
    sum = sum.fma(r, coefficients[k]);
  Number n = shifted.bits() - shifted.constant(shift).bits();
  return (sum * ((n + n.integer(1023)) << 52).asFloat()).toF32();
}

/// x^y for an f64 `y`, of which it is known whether it is integral, and odd.
static Number power(Number x, Number y, Number isIntegral, Number isOdd) {
  Number size = x.abs();
  Number log = wideLog2(size);
  log = (size == 0.0).select(-infinity, log);
  log = (size < infinity).select(log, size.toF64());
  Number result = narrowExp2(y * log);
  Number isNegative = x.bits() < x.bits().integer(0);
  result = (isNegative & isOdd).select(-result, result);
  Number isFiniteBelow = (x < 0.0) & (size < infinity);
  result = (isFiniteBelow & !isIntegral).select(std::nan(""), result);
  // One to any power, -1 to an infinite one, and anything to the power of zero.
  Number isInfinite = y.abs() == infinity;
  Number isOne = (x == 1.0) | ((size == 1.0) & isInfinite) | (y == 0.0);
  return isOne.select(1.0, result);
}

Number mlir::attn::powOf(Number x, Number y) {
  Number isIntegral = y.floor() == y;
  Number half = y * 0.5;
  Number isOdd = isIntegral & (half.floor() != half);
  // Infinities are even.
  isOdd = isOdd & (y.abs() < infinity);
  return power(x, y.toF64(), isIntegral, isOdd);
}

Number mlir::attn::powiOf(Number x, Number n) {
  Number isOdd = (n & 1) != 0;
  Number always = isOdd.integer(-1);
  return power(x, n.toFloat(x.builder().getF64Type()), always, isOdd);
}

Number mlir::attn::cbrtOf(Number x) {
  Number size = x.abs();
  Number root = narrowExp2(wideLog2(size) * (1.0 / 3)).withSignOf(x);
  return ((size > 0.0) & (size < infinity)).select(root, x);
}

Number mlir::attn::integerPowerOf(Number x, Number n) {
  // Square and multiply; what a constant has no bits for is left out.
  unsigned steps = n.width();
  APInt known;
  bool isConstant = matchPattern(static_cast<Value>(n), m_ConstantInt(&known));
  if (isConstant && !known.isNegative())
    steps = known.getActiveBits();
  Number one = x.integer(1), result = one, square = x;
  for (unsigned i = 0; i < steps; ++i) {
    Number bit = (n & static_cast<int64_t>(uint64_t(1) << i)) != 0;
    result = bit.select(result * square, result);
    if (i + 1 < steps)
      square = square * square;
  }
  // A negative power of 1 and -1 is one of them, of others a fraction.
  Number isOdd = (n & 1) != 0;
  Number negative = (x == 1).select(
      one, (x == -1).select(isOdd.select(x, one), x.integer(0)));
  return (n < n.integer(0)).select(negative, result);
}
