// See OnlineSoftmax.h.
#include "OnlineSoftmax.h"

#include "attn/Dialect/Attn/IR/ModProgram.h"
#include "attn/Dialect/Tile/IR/Marks.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace mlir::attn;

static constexpr double ln2 = 0.6931471805599453;

/// Exponents from which on scores count as far from zero: their product with
/// the factor is then rounded by up to 2^-4.
static constexpr double farExponent = 1 << 20;

OnlineSoftmax::State OnlineSoftmax::initial() {
  return {t.splat({rows}, -INFINITY), t.splat({rows}, 0),
          arith::ConstantIntOp::create(b, 0, 1)};
}

OnlineSoftmax::Step OnlineSoftmax::step(Value score, const State &old) {
  State state;
  state.maximum = newMaximum(score, old.maximum);
  auto far = tile::AnyBeyondOp::create(
      b, b.getI1Type(), state.maximum, old.far,
      b.getF32FloatAttr(static_cast<float>(farExponent / factor)));
  state.far = far;
  Value shift = this->shift(state.maximum, state.far);
  Value decay = this->decay(old, state.maximum, shift, state.far);
  Value near = t.either(
      state.far,
      [&] {
        return t.elementwise({score, state.maximum}, score.getType(),
                             [&](ValueRange in) -> Value {
                               return arith::SubFOp::create(b, in[0],
                                                            base(in[1]));
                             });
      },
      [&] { return score; });
  Value weights = t.elementwise(
      {near, shift}, score.getType(), [&](ValueRange in) -> Value {
        Value exponent = math::FmaOp::create(b, in[0], t.f32(factor),
                                             arith::NegFOp::create(b, in[1]));
        return exp2(exponent);
      });
  state.sum = t.reduceRows<arith::AddFOp>(weights, t.times(old.sum, decay));
  return {state, weights, decay};
}

Value OnlineSoftmax::newMaximum(Value score, Value old) {
  Value maximum = t.reduceRows<arith::MaxNumFOp>(score, old);
  maximum.getDefiningOp()->setAttr(
      tile::runningMaximumMark,
      b.getF32FloatAttr(static_cast<float>(1 / factor)));
  return maximum;
}

Value OnlineSoftmax::shift(Value maximum, Value far) {
  return t.elementwise(
      {maximum}, maximum.getType(), [&](ValueRange in) -> Value {
        Value none = arith::OrIOp::create(b, far, isEmpty(in[0]));
        return arith::SelectOp::create(b, none, t.f32(0), rounded(in[0]));
      });
}

Value OnlineSoftmax::rounded(Value maximum) {
  auto product = arith::MulFOp::create(b, maximum, t.f32(factor));
  markExact(product);
  return product;
}

/// 2 ^ (what the earlier weights are relative to - what the new ones are), 0
/// where there are none (the old maximum is -inf). Near zero these are rounded
/// products, far from it exact ones; a task that becomes far goes from one to
/// the other.
Value OnlineSoftmax::decay(const State &old, Value maximum, Value shift,
                           Value far) {
  Value decay = t.elementwise(
      {old.maximum, maximum, shift}, maximum.getType(),
      [&](ValueRange in) -> Value {
        Value exponent = t.either(
            far,
            [&]() -> Value {
              Value to = base(in[1]);
              Value growth = arith::MulFOp::create(
                  b, arith::SubFOp::create(b, in[0], to), t.f32(factor));
              Value entering =
                  math::FmaOp::create(b, arith::NegFOp::create(b, to),
                                      t.f32(factor), rounded(in[0]));
              Value some =
                  arith::SelectOp::create(b, old.far, growth, entering);
              return arith::SelectOp::create(b, isEmpty(in[0]),
                                             t.f32(-INFINITY), some);
            },
            [&]() -> Value {
              return arith::SubFOp::create(b, rounded(in[0]), in[2]);
            });
        return exp2(exponent);
      });
  decay.getDefiningOp()->setAttr(tile::oneIfKeptMark, b.getUnitAttr());
  return decay;
}

Value OnlineSoftmax::inverseSum(const State &state) {
  return t.elementwise(
      {state.sum}, state.sum.getType(), [&](ValueRange in) -> Value {
        Value empty = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, in[0],
                                            t.f32(0));
        Value divisor = arith::SelectOp::create(b, empty, t.f32(1), in[0]);
        return arith::DivFOp::create(b, t.f32(1), divisor);
      });
}

Value OnlineSoftmax::exactSum(const State &state) {
  return t.elementwise({state.maximum, state.sum}, state.sum.getType(),
                       [&](ValueRange in) -> Value {
                         return arith::MulFOp::create(
                             b, in[1], exp2(roundedAway(in[0], state.far)));
                       });
}

/// There is none in an empty row.
Value OnlineSoftmax::roundedAway(Value maximum, Value far) {
  Value rest = math::FmaOp::create(b, arith::NegFOp::create(b, maximum),
                                   t.f32(factor), rounded(maximum));
  Value isExact = arith::OrIOp::create(b, far, isEmpty(maximum));
  return arith::SelectOp::create(b, isExact, t.f32(0), rest);
}

Value OnlineSoftmax::relativeTo(Value maximum, const State &state) {
  return t.elementwise(
      {state.maximum, maximum}, maximum.getType(), [&](ValueRange in) -> Value {
        Value growth = arith::SubFOp::create(b, in[0], base(in[1]));
        return exp2(math::FmaOp::create(b, growth, t.f32(factor),
                                        roundedAway(in[0], state.far)));
      });
}

/// An empty row has maximum -inf and sum 0, whose logarithm is -inf.
Value OnlineSoftmax::logSumExp(const State &state) {
  return t.elementwise(
      {state.maximum, state.sum}, state.sum.getType(),
      [&](ValueRange in) -> Value {
        Value log = math::Log2Op::create(b, in[1]);
        Value near = arith::MulFOp::create(
            b, arith::AddFOp::create(b, rounded(in[0]), log), t.f32(ln2));
        Value maximum = arith::MulFOp::create(b, in[0], t.f32(factor * ln2));
        Value far = math::FmaOp::create(b, log, t.f32(ln2), maximum);
        return arith::SelectOp::create(b, state.far, far, near);
      });
}

Value OnlineSoftmax::isEmpty(Value maximum) {
  return arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, maximum,
                               t.f32(-INFINITY));
}

Value OnlineSoftmax::base(Value maximum) {
  return arith::SelectOp::create(b, isEmpty(maximum), t.f32(0), maximum);
}

Value OnlineSoftmax::exp2(Value x) { return math::Exp2Op::create(b, x); }
