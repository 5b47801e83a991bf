// Sine, cosine and tangent of f32, exact to the last places for arguments of
// any size, and their inverses.
#include "Functions.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlir::attn;

static constexpr double infinity = std::numeric_limits<double>::infinity();
static constexpr double halfPi = 1.5707963267948966;
/// What halfPi as f32 lacks.
static constexpr double halfPiLow = -4.371139000186241e-08;

//===----------------------------------------------------------------------===//
// The angle within a quarter turn
//===----------------------------------------------------------------------===//

namespace {
/// An angle: `quarters` quarter turns (i32, modulo 4) and `rest` within an
/// eighth.
struct Angle {
  Number quarters, rest;
};
} // namespace

/// 32 bits of 2/pi from the 32 * word-th on; word 0 lies before the point.
static Number chooseWord(Number word, int64_t offset) {
  static const uint32_t twoOverPi[] = {0,          0xa2f9836e, 0x4e441529,
                                       0xfc2757d1, 0xf534ddc0, 0xdb629599,
                                       0x3c439041, 0xfe5163ab};
  Number result = word.integer(twoOverPi[offset]);
  for (int64_t i = 1; i <= 4; ++i)
    result = (word == i).select(word.integer(twoOverPi[offset + i]), result);
  return result.zeroExtended(64);
}

/// x >= 0 modulo a quarter turn: the product with 2/pi in integers, from which
/// multiples of four are left out (Payne and Hanek). x is m * 2^(e - 150), and
/// the product needs 96 bits of 2/pi from the one on that is worth 2 in it,
/// which is the (e - 119)-th behind the point. 62 bits of the fraction remain.
static Angle reduce(Number x) {
  Number bits = x.bits();
  Number start = (bits >> 23) - bits.integer(120);
  Number word = start.shiftedRight(5), shift = (start & 31).zeroExtended(64);
  Number words[] = {chooseWord(word, 0), chooseWord(word, 1),
                    chooseWord(word, 2), chooseWord(word, 3)};
  auto window = [&](int i) {
    Number two = (words[i] << 32) | words[i + 1];
    return (two << shift) >> 32;
  };
  Number m = ((bits & 0x7fffff) | bits.integer(0x800000)).zeroExtended(64);
  Number product =
      ((m * window(0)) << 32) + m * window(1) + ((m * window(2)) >> 32);
  Number quarters = (product + product.integer(int64_t(1) << 61)) >> 62;
  Number rest = (product - (quarters << 62)).toFloat(x.elementType());
  rest = rest * (halfPi * 0x1p-62);
  // Nothing to reduce; the product has no such bits.
  Number isSmall = x < halfPi / 2;
  quarters = quarters.truncated(32);
  return {isSmall.select(quarters.integer(0), quarters),
          isSmall.select(x, rest)};
}

namespace {
struct Quarter {
  Number quarters, sine, cosine;
};
} // namespace

/// Of |x|.
static Quarter quarterOf(Number x) {
  // (sin r - r) / r^3 and (cos r - 1 + r^2 / 2) / r^4 for r^2 in [0, 0.617].
  static const double sines[] = {-0.16666654993481358, 0.0083321802993812817,
                                 -0.0001951751471175312};
  static const double cosines[] = {0.041666646978128892, -0.0013887371942919956,
                                   2.4438876120463239e-05};
  auto [quarters, r] = reduce(x.abs());
  Number square = r * r;
  Number sine = (square * r).fma(polynomial(square, sines), r);
  Number cosine =
      (square * square).fma(polynomial(square, cosines), square.fma(-0.5, 1.0));
  return {quarters, sine, cosine};
}

static Number isBit(Number bits, int64_t bit) { return (bits & bit) != 0; }

SineAndCosine mlir::attn::sineAndCosineOf(Number x) {
  auto [quarters, s, c] = quarterOf(x);
  Number swapped = isBit(quarters, 1);
  Number sine = swapped.select(c, s), cosine = swapped.select(s, c);
  sine = isBit(quarters, 2).select(-sine, sine);
  Number isLeft = isBit(quarters + quarters.integer(1), 2);
  cosine = isLeft.select(-cosine, cosine);
  sine = (x.bits() < x.bits().integer(0)).select(-sine, sine);
  Number isFinite = x.abs() < infinity;
  return {isFinite.select(sine, std::nan("")),
          isFinite.select(cosine, std::nan(""))};
}

Number mlir::attn::tanOf(Number x) {
  auto [quarters, s, c] = quarterOf(x);
  Number swapped = isBit(quarters, 1);
  Number tangent = swapped.select(-c, s) / swapped.select(s, c);
  tangent = (x.bits() < x.bits().integer(0)).select(-tangent, tangent);
  return (x.abs() < infinity).select(tangent, std::nan(""));
}

//===----------------------------------------------------------------------===//
// Angles from lengths
//===----------------------------------------------------------------------===//

/// The angle whose tangent is y / x, both positive or zero.
static Number positiveAngle(Number y, Number x) {
  // (atan u - u) / u^3 for u^2 in [0, 0.1717].
  static const double coefficients[] = {
      -0.33333315918885015, 0.1999850781352305, -0.14244118581383963,
      0.10597610775078006, -0.060868130439982446};
  Number isSteep = y > x;
  Number low = isSteep.select(x, y), high = isSteep.select(y, x);
  // Away from the ends of the range, for what follows.
  Number scale = (high > 0x1p100).select(low.constant(0x1p-60), 1.0);
  scale = (high < 0x1p-60).select(0x1p60, scale);
  low = low * scale, high = high * scale;
  // Above tan(pi / 8) the angle to the diagonal. Infinities may be equal.
  Number isEqual = low == high;
  Number isDiagonal = (low > high * 0.41421356) | (isEqual & (low > 0.0));
  Number over = isDiagonal.select(low - high, low);
  Number under = isDiagonal.select(low + high, high);
  Number u = isEqual.select(0.0, over / under), square = u * u;
  Number angle = (square * u).fma(polynomial(square, coefficients), u);
  Number base = isDiagonal.select(angle.constant(halfPi / 2), 0.0);
  Number baseLow = isDiagonal.select(angle.constant(halfPiLow / 2), 0.0);
  Number whole = base + (angle + baseLow);
  Number turned =
      (base.constant(halfPi) - base) - (angle + (baseLow - halfPiLow));
  return isSteep.select(turned, whole);
}

Number mlir::attn::atanOf(Number x) {
  Number angle = positiveAngle(x.abs(), x.constant(1)).withSignOf(x);
  return (x.abs() < 0x1p-13).select(x, angle);
}

Number mlir::attn::atan2Of(Number y, Number x) {
  Number angle = positiveAngle(y.abs(), x.abs());
  Number isLeft = x.bits() < x.bits().integer(0);
  Number opposite = angle.constant(2 * halfPi) - (angle - 2 * halfPiLow);
  Number result = isLeft.select(opposite, angle).withSignOf(y);
  return (x.isNaN() | y.isNaN()).select(std::nan(""), result);
}

/// asin of |x| <= 1/2, from there on of sqrt((1 - |x|) / 2), half of the angle
/// that is left to a right one.
static std::pair<Number, Number> arcSine(Number size) {
  // (asin r - r) / r^3 for r^2 in [0, 0.25].
  static const double coefficients[] = {
      0.16666660215650927,  0.075004955474974558, 0.044518120627345156,
      0.031800589289500837, 0.014458749161075366, 0.037495207874339881};
  Number isLarge = size > 0.5;
  Number half = (size.constant(1) - size) * 0.5;
  Number square = isLarge.select(half, size * size);
  Number r = isLarge.select(half.sqrt(), size);
  return {isLarge, (square * r).fma(polynomial(square, coefficients), r)};
}

Number mlir::attn::asinOf(Number x) {
  auto [isLarge, angle] = arcSine(x.abs());
  Number rest = angle.constant(halfPi) - (angle * 2.0 - halfPiLow);
  return isLarge.select(rest, angle).withSignOf(x);
}

Number mlir::attn::acosOf(Number x) {
  auto [isLarge, angle] = arcSine(x.abs());
  Number isLeft = x < 0.0;
  // Twice the angle from the axis, or a right angle and the rest.
  Number twice = angle * 2.0;
  Number opposite = twice.constant(2 * halfPi) - (twice - 2 * halfPiLow);
  Number near = isLeft.select(opposite, twice);
  Number signedAngle = angle.withSignOf(x);
  Number rest = angle.constant(halfPi) - (signedAngle - halfPiLow);
  return isLarge.select(near, rest);
}
