// Which function becomes which formula. See MathExpansions.h.
#include "attn/Conversion/MathExpansions.h"

#include "Functions.h"

#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::attn;

void ExactListener::notifyOperationInserted(Operation *op,
                                            OpBuilder::InsertPoint previous) {
  markExact(op);
}

static bool isF32(Value value) {
  return getElementTypeOrSelf(value.getType()).isF32();
}

namespace {
template <typename Op> struct ExpandUnary : OpRewritePattern<Op> {
  using Formula = Number (*)(Number);
  ExpandUnary(MLIRContext *context, Formula formula)
      : OpRewritePattern<Op>(context), formula(formula) {}

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    if (!isF32(op.getOperand()))
      return rewriter.notifyMatchFailure(op, "expects f32");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    rewriter.replaceOp(op, Value(formula({b, op.getOperand()})));
    return success();
  }

  Formula formula;
};

template <typename Op> struct ExpandBinary : OpRewritePattern<Op> {
  using Formula = Number (*)(Number, Number);
  ExpandBinary(MLIRContext *context, Formula formula)
      : OpRewritePattern<Op>(context), formula(formula) {}

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    if (!isF32(op.getLhs()) && !std::is_same_v<Op, math::IPowIOp>)
      return rewriter.notifyMatchFailure(op, "expects f32");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    rewriter.replaceOp(op, Value(formula({b, op.getLhs()}, {b, op.getRhs()})));
    return success();
  }

  Formula formula;
};

struct ExpandSincos : OpRewritePattern<math::SincosOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::SincosOp op,
                                PatternRewriter &rewriter) const override {
    if (!isF32(op.getOperand()))
      return rewriter.notifyMatchFailure(op, "expects f32");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    auto [sine, cosine] = sineAndCosineOf({b, op.getOperand()});
    rewriter.replaceOp(op, ValueRange{sine, cosine});
    return success();
  }
};

/// MLIR's formula, of which -0 gives +0.
struct SignErf : OpRewritePattern<math::ErfOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::ErfOp op,
                                PatternRewriter &rewriter) const override {
    if (!isF32(op.getOperand()) || isTotal(op))
      return rewriter.notifyMatchFailure(op, "expects f32 without a mark");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    auto size = math::ErfOp::create(b, op.getOperand());
    markTotal(size);
    rewriter.replaceOp(op,
                       Value(Number(b, size).withSignOf({b, op.getOperand()})));
    return success();
  }
};

/// A number wins over NaN, and -0 is less than +0: of a decision, where targets
/// would differ.
template <typename Op, typename WithNaN>
struct ExpandNumberOf : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    if (!isExact(op))
      return rewriter.notifyMatchFailure(op, "expects an exact operation");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Number x(b, op.getLhs()), y(b, op.getRhs());
    Number both(b, WithNaN::create(b, x, y));
    rewriter.replaceOp(op,
                       Value(x.isNaN().select(y, y.isNaN().select(x, both))));
    return success();
  }
};

/// The greater or lesser number, NaN if one is, and -0 less than +0: LLVM's
/// instructions of a CPU leave the zeros open.
template <typename Op> struct ExpandExtremum : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    if (!isF32(op.getLhs()) || !isExact(op))
      return rewriter.notifyMatchFailure(op, "expects f32, exact");
    constexpr bool isMaximum = std::is_same_v<Op, arith::MaximumFOp>;
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Number x(b, op.getLhs()), y(b, op.getRhs());
    Number chosen = (isMaximum ? x > y : x < y).select(x, y);
    // Of equal numbers only zeros differ in a bit, the sign.
    Number equal = isMaximum ? x.bits() & y.bits() : x.bits() | y.bits();
    chosen = (x == y).select(equal.asFloat(), chosen);
    // A sum with NaN is NaN.
    rewriter.replaceOp(op,
                       Value((x.isNaN() | y.isNaN()).select(x + y, chosen)));
    return success();
  }
};

/// Integers become f16 and bf16 by way of f32, as docs/Mods.md says; upstream's
/// canonicalisation makes one conversion of the two.
template <typename Op> struct ConvertByF32 : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    Type type = op.getType(), element = getElementTypeOrSelf(type);
    if (!element.isF16() && !element.isBF16())
      return rewriter.notifyMatchFailure(op, "expects f16 or bf16");
    Type wide = rewriter.getF32Type();
    if (auto vector = dyn_cast<VectorType>(type))
      wide = VectorType::get(vector.getShape(), wide);
    Value number = Op::create(rewriter, op.getLoc(), wide, op.getIn());
    rewriter.replaceOpWithNewOp<arith::TruncFOp>(op, type, number);
    return success();
  }
};

struct ExpandRemainder : OpRewritePattern<arith::RemFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::RemFOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.getType().isF32())
      return rewriter.notifyMatchFailure(op, "expects an f32 scalar");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    rewriter.replaceOp(op,
                       Value(remainderOf({b, op.getLhs()}, {b, op.getRhs()})));
    return success();
  }
};
} // namespace

void mlir::attn::populateMathExpansions(RewritePatternSet &patterns) {
  MLIRContext *context = patterns.getContext();
  patterns.add<ExpandUnary<math::Exp2Op>>(context, exp2Of);
  patterns.add<ExpandUnary<math::ExpOp>>(context, expOf);
  patterns.add<ExpandUnary<math::ExpM1Op>>(context, expm1Of);
  patterns.add<ExpandUnary<math::SinhOp>>(context, sinhOf);
  patterns.add<ExpandUnary<math::CoshOp>>(context, coshOf);
  patterns.add<ExpandUnary<math::LogOp>>(context, logOf);
  patterns.add<ExpandUnary<math::Log2Op>>(context, log2Of);
  patterns.add<ExpandUnary<math::Log10Op>>(context, log10Of);
  patterns.add<ExpandUnary<math::Log1pOp>>(context, log1pOf);
  patterns.add<ExpandUnary<math::AsinhOp>>(context, asinhOf);
  patterns.add<ExpandUnary<math::AcoshOp>>(context, acoshOf);
  patterns.add<ExpandUnary<math::AtanhOp>>(context, atanhOf);
  patterns.add<ExpandUnary<math::SinOp>>(
      context, [](Number x) { return sineAndCosineOf(x).sine; });
  patterns.add<ExpandUnary<math::CosOp>>(
      context, [](Number x) { return sineAndCosineOf(x).cosine; });
  patterns.add<ExpandUnary<math::TanOp>>(context, tanOf);
  patterns.add<ExpandUnary<math::AsinOp>>(context, asinOf);
  patterns.add<ExpandUnary<math::AcosOp>>(context, acosOf);
  patterns.add<ExpandUnary<math::AtanOp>>(context, atanOf);
  patterns.add<ExpandUnary<math::CbrtOp>>(context, cbrtOf);
  patterns.add<ExpandUnary<math::RoundOp>>(context, roundOf);
  patterns.add<ExpandUnary<math::RsqrtOp>>(
      context, [](Number x) { return x.constant(1) / x.sqrt(); });
  patterns.add<ExpandBinary<math::Atan2Op>>(context, atan2Of);
  patterns.add<ExpandBinary<math::PowFOp>>(context, powOf);
  patterns.add<ExpandBinary<math::FPowIOp>>(context, powiOf);
  patterns.add<ExpandBinary<math::IPowIOp>>(context, integerPowerOf);
  patterns.add<ExpandSincos>(context);
  patterns.add<SignErf>(context, /*benefit=*/2);
  patterns.add<ExpandNumberOf<arith::MaxNumFOp, arith::MaximumFOp>,
               ExpandNumberOf<arith::MinNumFOp, arith::MinimumFOp>>(context);
  patterns.add<ConvertByF32<arith::SIToFPOp>, ConvertByF32<arith::UIToFPOp>>(
      context);
  // MLIR's own are accurate.
  populateMathPolynomialApproximationPatterns(patterns, [](StringRef name) {
    return name == math::TanhOp::getOperationName() ||
           name == math::ErfOp::getOperationName() ||
           name == math::ErfcOp::getOperationName();
  });
}

void mlir::attn::populateExactExtrema(RewritePatternSet &patterns) {
  patterns.add<ExpandExtremum<arith::MaximumFOp>,
               ExpandExtremum<arith::MinimumFOp>>(patterns.getContext());
}

void mlir::attn::populateScalarExpansions(RewritePatternSet &patterns) {
  patterns.add<ExpandRemainder>(patterns.getContext());
  arith::populateCeilFloorDivExpandOpsPatterns(patterns);
}
