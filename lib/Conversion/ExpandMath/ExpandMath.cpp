// Expands elementary functions into arithmetic that vectorises. See
// ExpandMathPass in Passes.td.
#include "attn/Conversion/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::attn {
#define GEN_PASS_DEF_EXPANDMATHPASS
#include "attn/Conversion/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;

/// Minimax polynomial of 2^r on [-1/2, 1/2], constant term first; relative
/// error 1.9e-9.
static constexpr float coefficients[] = {1.0f,
                                         0.6931472057f,
                                         0.2402264689f,
                                         0.05550328777f,
                                         0.009618488957f,
                                         0.001339993122f,
                                         0.0001534581201f};

/// 1.5 * 2^23: adding it rounds to an integer, which is left in the low bits.
static constexpr float roundingShift = 12582912.0f;

namespace {
/// Emits operations on values of one type: a float or a vector of floats.
struct Emitter {
  OpBuilder &builder;
  Location loc;
  Type type, integer;

  Value constant(float value) {
    return splat(type, builder.getF32FloatAttr(value));
  }
  Value constant(int32_t value) {
    return splat(integer, builder.getI32IntegerAttr(value));
  }
  Value splat(Type type, TypedAttr value) {
    if (auto vector = dyn_cast<VectorType>(type))
      value = SplatElementsAttr::get(vector, Attribute(value));
    return arith::ConstantOp::create(builder, loc, value);
  }
  /// x < bound ? bound : x, or with >; NaN stays.
  Value clamp(Value x, arith::CmpFPredicate outside, float bound) {
    Value limit = constant(bound);
    Value isOutside = arith::CmpFOp::create(builder, loc, outside, x, limit);
    return arith::SelectOp::create(builder, loc, isOutside, limit, x);
  }
};
} // namespace

/// 2^x = 2^n * 2^r with n the integer nearest to x.
static Value expandExp2(OpBuilder &builder, Location loc, Value x) {
  Type integer = builder.getI32Type();
  if (auto vector = dyn_cast<VectorType>(x.getType()))
    integer = VectorType::get(vector.getShape(), integer);
  Emitter e{builder, loc, x.getType(), integer};
  // Below -127 the power of two becomes 0, from 128 on infinity.
  x = e.clamp(x, arith::CmpFPredicate::OLT, -127.0f);
  x = e.clamp(x, arith::CmpFPredicate::OGT, 128.0f);
  Value shift = e.constant(roundingShift);
  Value shifted = arith::AddFOp::create(builder, loc, x, shift);
  Value n = arith::SubFOp::create(builder, loc, shifted, shift);
  Value r = arith::SubFOp::create(builder, loc, x, n);
  Value sum = e.constant(coefficients[std::size(coefficients) - 1]);
  for (size_t i = std::size(coefficients) - 1; i-- > 0;)
    sum =
        math::FmaOp::create(builder, loc, sum, r, e.constant(coefficients[i]));
  // The low bits of `shifted` count from the bits of the shift itself, which
  // the shift to the exponent drops.
  Value bits = arith::BitcastOp::create(builder, loc, integer, shifted);
  bits = arith::AddIOp::create(builder, loc, bits, e.constant(127));
  bits = arith::ShLIOp::create(builder, loc, bits, e.constant(23));
  Value power = arith::BitcastOp::create(builder, loc, x.getType(), bits);
  return arith::MulFOp::create(builder, loc, sum, power);
}

namespace {
struct ExpandMath : public attn::impl::ExpandMathPassBase<ExpandMath> {
  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet set(context);
    // That of rsqrt is made of x86 instructions.
    populateMathPolynomialApproximationPatterns(set, [](StringRef name) {
      return name != math::RsqrtOp::getOperationName();
    });
    patterns = std::move(set);
    return success();
  }

  void runOnOperation() override {
    getOperation().walk([](math::Exp2Op op) {
      if (!getElementTypeOrSelf(op.getType()).isF32())
        return;
      OpBuilder builder(op);
      op.replaceAllUsesWith(expandExp2(builder, op.getLoc(), op.getOperand()));
      op.erase();
    });
    if (failed(applyPatternsGreedily(getOperation(), patterns)))
      signalPassFailure();
  }

  FrozenRewritePatternSet patterns;
};
} // namespace
