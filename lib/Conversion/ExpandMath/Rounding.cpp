// Functions of f32 that have exact values.
#include "Functions.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlir::attn;

Number mlir::attn::roundOf(Number x) {
  Number whole = x.truncatedToWhole();
  Number rest = (x - whole).abs(); // exact
  Number up = whole + x.constant(1).withSignOf(x);
  return (rest >= 0.5).select(up, whole).withSignOf(x);
}

/// x is m * 2^(e - 150), where subnormal numbers have the exponent 1.
static std::pair<Number, Number> integerAndExponent(Number x) {
  Number bits = x.bits(), exponent = bits >> 23, fraction = bits & 0x7fffff;
  Number isSubnormal = exponent == 0;
  Number m = isSubnormal.select(fraction, fraction | bits.integer(0x800000));
  return {m, isSubnormal.select(bits.integer(1), exponent)};
}

Number mlir::attn::remainderOf(Number x, Number y) {
  ImplicitLocOpBuilder &b = x.builder();
  Number size = x.abs(), divisor = y.abs();
  auto [m, exponent] = integerAndExponent(size);
  auto [unit, least] = integerAndExponent(divisor);
  Number n = (unit == 0).select(unit.integer(1), unit);
  // m * 2^(distance) modulo n, eight bits at a time: below 2^24 times 2^8.
  Number distance = exponent - least;
  auto rest = [&](Number value) {
    return Number(b, arith::RemUIOp::create(b, value, n));
  };
  auto loop = scf::WhileOp::create(
      b, TypeRange{m.type(), m.type()}, ValueRange{rest(m), distance},
      [&](OpBuilder &, Location, ValueRange carried) {
        ImplicitLocOpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToEnd(carried[0].getParentBlock());
        Number left(b, carried[1]);
        scf::ConditionOp::create(b, left > left.integer(0), carried);
      },
      [&](OpBuilder &, Location, ValueRange carried) {
        ImplicitLocOpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToEnd(carried[0].getParentBlock());
        Number value(b, carried[0]), left(b, carried[1]);
        Number eight = left.integer(8);
        Number step = (left < eight).select(left, eight);
        scf::YieldOp::create(b, ValueRange{rest(value << step), left - step});
      });
  Number value(b, loop.getResult(0));
  // value * 2^(least - 150); below 2^-126 the factor is a subnormal number.
  Number isNormal = least > least.integer(23);
  Number factor = isNormal
                      .select((least - least.integer(23)) << 23,
                              least.integer(1) << (least - least.integer(1)))
                      .asFloat();
  Number result = value.toFloat(x.elementType()) * factor;
  result = (size < divisor).select(size, result).withSignOf(x);
  Number isDefined =
      (size < std::numeric_limits<double>::infinity()) & (divisor > 0.0);
  return isDefined.select(result, std::nan(""));
}
