// math-to-ptx: scalar f32 math as PTX instructions, without a library of device
// functions. What has no instruction of its own, and what must be exact,
// becomes the formulas of expand-math.
#include "attn/Conversion/MathExpansions.h"
#include "attn/Conversion/Passes.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

#include <cmath>

namespace mlir::attn {
#define GEN_PASS_DEF_MATHTOPTXPASS
#include "attn/Conversion/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;

namespace {

Value constant(ImplicitLocOpBuilder &b, double value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
}

/// One f32 instruction with one operand.
Value intrinsic(ImplicitLocOpBuilder &b, StringRef name, Value x) {
  return LLVM::CallIntrinsicOp::create(b, b.getF32Type(), b.getStringAttr(name),
                                       ValueRange{x})
      .getResult(0);
}

Value exp2(ImplicitLocOpBuilder &b, Value x) {
  return intrinsic(b, "llvm.nvvm.ex2.approx.ftz.f32", x);
}

Value log2(ImplicitLocOpBuilder &b, Value x) {
  return intrinsic(b, "llvm.nvvm.lg2.approx.ftz.f", x);
}

Value scaled(ImplicitLocOpBuilder &b, Value x, double factor) {
  return arith::MulFOp::create(b, x, constant(b, factor));
}

constexpr double log2e = 1.4426950408889634, ln2 = 0.6931471805599453;

Value approximateTanh(ImplicitLocOpBuilder &b, Value x) {
  return LLVM::InlineAsmOp::create(
             b, b.getF32Type(), ValueRange{x}, "tanh.approx.f32 $0, $1;",
             "=f,f", /*has_side_effects=*/false, /*is_align_stack=*/false,
             LLVM::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr())
      .getResult(0);
}

Value fma(ImplicitLocOpBuilder &b, Value x, Value y, Value z) {
  return math::FmaOp::create(b, x, y, z);
}

/// Within 3 units in f32's last place. Near zero x + x^3 P(x^2), where P is a
/// minimax polynomial of degree 3 for |x| < 0.55 (error 2^-24.7 before
/// rounding); elsewhere 1 - 2 / (e^2|x| + 1).
Value accurateTanh(ImplicitLocOpBuilder &b, Value x) {
  Value size = math::AbsFOp::create(b, x);
  Value power = exp2(b, scaled(b, size, 2 * log2e));
  Value inverse = intrinsic(b, "llvm.nvvm.rcp.approx.ftz.f",
                            arith::AddFOp::create(b, power, constant(b, 1)));
  Value far = math::CopySignOp::create(
      b, fma(b, inverse, constant(b, -2), constant(b, 1)), x);
  Value square = arith::MulFOp::create(b, x, x);
  Value p = constant(b, 0.016458692029118538);
  for (double coefficient :
       {-0.052684102207422256, 0.13320940732955933, -0.33332958817481995})
    p = fma(b, p, square, constant(b, coefficient));
  Value near = fma(b, arith::MulFOp::create(b, x, square), p, x);
  Value isNear = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, size,
                                       constant(b, 0.55));
  return arith::SelectOp::create(b, isNear, near, far);
}

using Emitter = Value (*)(ImplicitLocOpBuilder &, Value);

template <typename Op> struct UnaryToPTX : OpRewritePattern<Op> {
  UnaryToPTX(MLIRContext *context, Emitter emit)
      : OpRewritePattern<Op>(context, /*benefit=*/10), emit(emit) {}

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    if (!op.getType().isF32() || mlir::attn::isExact(op))
      return rewriter.notifyMatchFailure(op, "expects f32, approximate");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    rewriter.replaceOp(op, emit(b, op.getOperand()));
    return success();
  }

  Emitter emit;
};

/// What LLVM's NVPTX back end has an instruction for; upstream's lowering would
/// call the library of device functions.
template <typename Op> struct ToIntrinsic : OpRewritePattern<Op> {
  ToIntrinsic(MLIRContext *context, StringRef name)
      : OpRewritePattern<Op>(context, /*benefit=*/10), name(name) {}

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<LLVM::CallIntrinsicOp>(
        op, op.getType(), rewriter.getStringAttr(name), op->getOperands());
    return success();
  }

  StringRef name;
};

/// The same for intrinsics that ask whether a special operand may give poison.
template <typename Op> struct ToIntrinsicWithFlag : OpRewritePattern<Op> {
  ToIntrinsicWithFlag(MLIRContext *context, StringRef name)
      : OpRewritePattern<Op>(context), name(name) {}

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    Value no = arith::ConstantOp::create(rewriter, op.getLoc(),
                                         rewriter.getBoolAttr(false));
    rewriter.replaceOpWithNewOp<LLVM::CallIntrinsicOp>(
        op, op.getType(), rewriter.getStringAttr(name),
        ValueRange{op.getOperand(), no});
    return success();
  }

  StringRef name;
};

/// x / c as x * (1 / c), other quotients as div.full (2 units in the last
/// place) instead of a loop-free but long IEEE division.
struct ApproximateDivision : OpRewritePattern<arith::DivFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::DivFOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.getType().isF32() || mlir::attn::isExact(op))
      return rewriter.notifyMatchFailure(op, "expects f32, approximate");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    FloatAttr divisor;
    if (matchPattern(op.getRhs(), m_Constant(&divisor))) {
      double reciprocal = 1.0 / divisor.getValueAsDouble();
      if (std::isfinite(reciprocal) && std::fabs(reciprocal) > 1e-37) {
        rewriter.replaceOp(op, scaled(b, op.getLhs(), reciprocal));
        return success();
      }
    }
    rewriter.replaceOpWithNewOp<LLVM::CallIntrinsicOp>(
        op, op.getType(), rewriter.getStringAttr("llvm.nvvm.div.full"),
        op->getOperands());
    return success();
  }
};

/// (x * c) * d as x * (c d), such as a scale and a quotient in a mod.
struct FoldFactors : OpRewritePattern<arith::MulFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::MulFOp op,
                                PatternRewriter &rewriter) const override {
    auto inner = op.getLhs().getDefiningOp<arith::MulFOp>();
    FloatAttr first, second;
    if (!op.getType().isF32() || !inner || !inner->hasOneUse() ||
        mlir::attn::isExact(op) || mlir::attn::isExact(inner) ||
        !matchPattern(op.getRhs(), m_Constant(&second)) ||
        !matchPattern(inner.getRhs(), m_Constant(&first)))
      return rewriter.notifyMatchFailure(op, "expects two constant factors");
    double product = first.getValueAsDouble() * second.getValueAsDouble();
    if (!(std::fabs(product) > 1e-30 && std::fabs(product) < 1e30))
      return rewriter.notifyMatchFailure(op, "expects a moderate product");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    rewriter.replaceOp(op, scaled(b, inner.getLhs(), product));
    return success();
  }
};

/// x / c, rounded as IEEE division rounds it but in rare cases of one unit in
/// the last place: the product with 1 / c, and what it lacks. There is nothing
/// to add to infinity.
struct AccurateDivisionByConstant : OpRewritePattern<arith::DivFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::DivFOp op,
                                PatternRewriter &rewriter) const override {
    FloatAttr divisor;
    if (!op.getType().isF32() || mlir::attn::isExact(op) ||
        !matchPattern(op.getRhs(), m_Constant(&divisor)))
      return rewriter.notifyMatchFailure(op, "expects f32 over a constant");
    double c = divisor.getValueAsDouble();
    // Neither c nor 1 / c may be near the ends of the range.
    if (!(std::fabs(c) > 1e-30 && std::fabs(c) < 1e30))
      return rewriter.notifyMatchFailure(op, "expects a moderate divisor");
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value x = op.getLhs(), inverse = constant(b, 1.0 / c);
    Value quotient = arith::MulFOp::create(b, x, inverse);
    Value rest = fma(b, quotient, constant(b, -c), x);
    Value isNumber =
        arith::CmpFOp::create(b, arith::CmpFPredicate::ORD, rest, rest);
    rewriter.replaceOpWithNewOp<arith::SelectOp>(
        op, isNumber, fma(b, rest, inverse, quotient), quotient);
    return success();
  }
};

/// What may be approximated: scores and the softmax.
void populateApproximations(RewritePatternSet &patterns, bool exact) {
  MLIRContext *context = patterns.getContext();
  if (exact)
    patterns.add<AccurateDivisionByConstant>(context, /*benefit=*/10);
  else
    patterns.add<ApproximateDivision, FoldFactors>(context);
  patterns.add<UnaryToPTX<math::Exp2Op>>(context, exp2);
  patterns.add<UnaryToPTX<math::ExpOp>>(context,
                                        [](ImplicitLocOpBuilder &b, Value x) {
                                          return exp2(b, scaled(b, x, log2e));
                                        });
  patterns.add<UnaryToPTX<math::Log2Op>>(context, log2);
  patterns.add<UnaryToPTX<math::LogOp>>(context,
                                        [](ImplicitLocOpBuilder &b, Value x) {
                                          return scaled(b, log2(b, x), ln2);
                                        });
  patterns.add<UnaryToPTX<math::RsqrtOp>>(
      context, [](ImplicitLocOpBuilder &b, Value x) {
        return intrinsic(b, "llvm.nvvm.rsqrt.approx.f", x);
      });
  patterns.add<UnaryToPTX<math::TanhOp>>(context, exact ? accurateTanh
                                                        : approximateTanh);
}

/// Instructions that round as IEEE 754 says.
void populateInstructions(RewritePatternSet &patterns) {
  MLIRContext *context = patterns.getContext();
  patterns.add<ToIntrinsic<arith::MaxNumFOp>>(context, "llvm.maxnum");
  patterns.add<ToIntrinsic<arith::MinNumFOp>>(context, "llvm.minnum");
  patterns.add<ToIntrinsic<arith::MaximumFOp>>(context, "llvm.maximum");
  patterns.add<ToIntrinsic<arith::MinimumFOp>>(context, "llvm.minimum");
  patterns.add<ToIntrinsic<math::FmaOp>>(context, "llvm.fma");
  patterns.add<ToIntrinsic<math::AbsFOp>>(context, "llvm.fabs");
  patterns.add<ToIntrinsic<math::CopySignOp>>(context, "llvm.copysign");
  patterns.add<ToIntrinsic<math::FloorOp>>(context, "llvm.floor");
  patterns.add<ToIntrinsic<math::CeilOp>>(context, "llvm.ceil");
  patterns.add<ToIntrinsic<math::TruncOp>>(context, "llvm.trunc");
  patterns.add<ToIntrinsic<math::RoundEvenOp>>(context, "llvm.roundeven");
  patterns.add<ToIntrinsic<math::SqrtOp>>(context, "llvm.sqrt");
  patterns.add<ToIntrinsic<math::CtPopOp>>(context, "llvm.ctpop");
  patterns.add<ToIntrinsicWithFlag<math::CountLeadingZerosOp>>(context,
                                                               "llvm.ctlz");
  patterns.add<ToIntrinsicWithFlag<math::CountTrailingZerosOp>>(context,
                                                                "llvm.cttz");
  patterns.add<ToIntrinsicWithFlag<math::AbsIOp>>(context, "llvm.abs");
}

struct MathToPTX : mlir::attn::impl::MathToPTXPassBase<MathToPTX> {
  using MathToPTXPassBase::MathToPTXPassBase;

  LogicalResult apply(function_ref<void(RewritePatternSet &)> populate,
                      RewriterBase::Listener *listener = nullptr) {
    RewritePatternSet patterns(&getContext());
    populate(patterns);
    GreedyRewriteConfig config;
    config.setListener(listener);
    return applyPatternsGreedily(getOperation(), std::move(patterns), config);
  }

  void runOnOperation() override {
    mlir::attn::ExactListener listener;
    if (failed(apply([&](RewritePatternSet &patterns) {
          populateApproximations(patterns, exact);
        })) ||
        failed(apply(
            [](RewritePatternSet &patterns) {
              mlir::attn::populateMathExpansions(patterns);
              mlir::attn::populateScalarExpansions(patterns);
            },
            &listener)) ||
        failed(apply(populateInstructions)))
      signalPassFailure();
  }
};

} // namespace
