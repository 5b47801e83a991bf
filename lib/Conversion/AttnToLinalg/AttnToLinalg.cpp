// attn-to-linalg: the definition of attention written down step by step on
// whole tensors. The oracle that other lowerings are compared with, so it
// shares nothing with them but the evaluation of mods, and prefers the obvious
// way.
#include "CacheToLinalg.h"
#include "TensorScores.h"

#include "attn/Conversion/Passes.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <cmath>
#include <limits>

namespace mlir::attn {
#define GEN_PASS_DEF_ATTNTOLINALGPASS
#include "attn/Conversion/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;

namespace {
/// Lowers one attention.
class AttentionLowering : TensorScores {
public:
  AttentionLowering(AttentionOp op, FloatType real)
      : TensorScores(op, real), op(op) {}

  LogicalResult lower();

private:
  // The steps of the definition, in their order.
  Value applyMod(Value scores);
  Value rowMaximum(Value scores);
  Value weights(Value scores, Value maximum);
  Value rowSum(Value weights);
  Value weightedValues(Value scores, Value weights);
  Value normalize(Value sums, Value denominator);
  Value logSumExp(Value maximum, Value denominator);

  AttentionOp op;
};
} // namespace

/// The score program of scale * score, and -inf where the mask program drops.
Value AttentionLowering::applyMod(Value scores) {
  return generic(
      scores, {{0, 1, 2, 3}}, empty(scoreSizes, real), {0, 1, 2, 3},
      /*loops=*/4,
      [&](OpBuilder &b, Location loc, ValueRange elements) -> Value {
        SmallVector<Value> at = loopIndices(b, loc);
        SmallVector<Value> arguments = modArguments(b, loc, elements[0], at);
        Value t = scoreOf(b, loc, elements[0], arguments);
        Value keep = keepOf(b, arguments);
        if (Value together = areTogether(b, loc, at))
          keep =
              keep ? arith::AndIOp::create(b, loc, keep, together) : together;
        if (!keep)
          return t;
        Value dropped =
            constant(b, loc, -std::numeric_limits<double>::infinity());
        return arith::SelectOp::create(b, loc, keep, t, dropped);
      });
}

Value AttentionLowering::rowMaximum(Value scores) {
  return reduce(scores, -std::numeric_limits<double>::infinity(),
                [](OpBuilder &b, Location loc, Value x, Value y) -> Value {
                  return arith::MaximumFOp::create(b, loc, x, y);
                });
}

/// exp(t - maximum). A row that is empty, maximum -inf, has weights of zero.
Value AttentionLowering::weights(Value scores, Value maximum) {
  return generic({scores, maximum}, {{0, 1, 2, 3}, {0, 1, 2}},
                 empty(scoreSizes, real), {0, 1, 2, 3}, /*loops=*/4,
                 [&](OpBuilder &b, Location loc, ValueRange elements) -> Value {
                   Value isEmpty = isMinusInfinity(b, loc, elements[1]);
                   Value shift = arith::SelectOp::create(
                       b, loc, isEmpty, constant(b, loc, 0.0), elements[1]);
                   Value x = arith::SubFOp::create(b, loc, elements[0], shift);
                   return math::ExpOp::create(b, loc, x);
                 });
}

Value AttentionLowering::rowSum(Value weights) {
  return reduce(weights, 0.0,
                [](OpBuilder &b, Location loc, Value x, Value y) -> Value {
                  return arith::AddFOp::create(b, loc, x, y);
                });
}

/// sum over kv of weight * value[b,hk,kv,:]. What is dropped adds nothing,
/// whatever the value is: zero times NaN would.
Value AttentionLowering::weightedValues(Value scores, Value weights) {
  return generic(
      {scores, weights}, {{0, 1, 2, 4}, {0, 1, 2, 4}},
      filled(rowSizesAnd(valueDim), real, 0.0), {0, 1, 2, 3}, /*loops=*/5,
      [&](OpBuilder &b, Location loc, ValueRange elements) -> Value {
        auto index = [&](int64_t i) -> Value {
          return linalg::IndexOp::create(b, loc, i);
        };
        Value batch = keyBatchOf(b, loc, index(0), index(2));
        Value element =
            elementOfHead(b, loc, value, batch, index(1), index(4), index(3));
        Value product = arith::MulFOp::create(b, loc, elements[1], element);
        Value added = arith::SelectOp::create(
            b, loc, isMinusInfinity(b, loc, elements[0]), constant(b, loc, 0.0),
            product);
        return arith::AddFOp::create(b, loc, elements[2], added);
      });
}

/// sums / denominator in the element type; 0 in a row that is empty.
Value AttentionLowering::normalize(Value sums, Value denominator) {
  auto type = cast<FloatType>(op.getElementType());
  return generic({sums, denominator}, {{0, 1, 2, 3}, {0, 1, 2}},
                 empty(rowSizesAnd(valueDim), type), {0, 1, 2, 3}, /*loops=*/4,
                 [&](OpBuilder &b, Location loc, ValueRange elements) -> Value {
                   Value zero = constant(b, loc, 0.0);
                   Value isEmpty = arith::CmpFOp::create(
                       b, loc, arith::CmpFPredicate::OEQ, elements[1], zero);
                   Value quotient =
                       arith::DivFOp::create(b, loc, elements[0], elements[1]);
                   quotient =
                       arith::SelectOp::create(b, loc, isEmpty, zero, quotient);
                   return convert(b, loc, quotient, type);
                 });
}

/// maximum + log denominator; -inf, not NaN, in a row that is empty.
Value AttentionLowering::logSumExp(Value maximum, Value denominator) {
  return generic({maximum, denominator}, {{0, 1, 2}, {0, 1, 2}},
                 empty(rowSizes(), builder.getF32Type()), {0, 1, 2},
                 /*loops=*/3,
                 [&](OpBuilder &b, Location loc, ValueRange elements) -> Value {
                   Value log = math::LogOp::create(b, loc, elements[1]);
                   Value sum = arith::AddFOp::create(b, loc, elements[0], log);
                   return convert(b, loc, sum, b.getF32Type());
                 });
}

LogicalResult AttentionLowering::lower() {
  if (failed(checkStandsAlone(op, mod)))
    return failure();
  Value scores = applyMod(dotProducts());
  Value maximum = rowMaximum(scores);
  Value weight = weights(scores, maximum);
  Value denominator = rowSum(weight);
  SmallVector<Value> results{
      normalize(weightedValues(scores, weight), denominator)};
  if (op.getLse())
    results.push_back(logSumExp(maximum, denominator));
  replace(op, results);
  return success();
}

namespace {
struct AttnToLinalgPass
    : public mlir::attn::impl::AttnToLinalgPassBase<AttnToLinalgPass> {
  using AttnToLinalgPassBase::AttnToLinalgPassBase;

  void runOnOperation() override {
    if (precision != "f64" && precision != "f32") {
      emitError(getOperation().getLoc())
          << "expects 'precision' f64 or f32, got '" << precision << "'";
      return signalPassFailure();
    }
    FloatType real = Float64Type::get(&getContext());
    if (precision == "f32")
      real = Float32Type::get(&getContext());
    WalkResult walk = getOperation().walk([&](AttentionOp op) {
      return WalkResult(AttentionLowering(op, real).lower());
    });
    WalkResult gradients = getOperation().walk([&](AttentionBackwardOp op) {
      return WalkResult(lowerBackwardToLinalg(op, real));
    });
    if (walk.wasInterrupted() || gradients.wasInterrupted())
      return signalPassFailure();
    getOperation().walk([&](MergeOp op) { lowerMergeToLinalg(op, real); });
    getOperation().walk([](AppendOp op) { lowerAppendToLoops(op); });
    eraseUnusedMods();
  }

  /// A mod that nothing names any more would only stand in the way of what
  /// translates the rest, and so would what makes its data.
  void eraseUnusedMods() {
    for (ModOp mod : llvm::make_early_inc_range(getOperation().getOps<ModOp>()))
      if (mod.symbolKnownUseEmpty(getOperation()))
        mod.erase();
    for (auto fill :
         llvm::make_early_inc_range(getOperation().getOps<FillOp>()))
      if (fill.symbolKnownUseEmpty(getOperation()))
        fill.erase();
  }
};
} // namespace
