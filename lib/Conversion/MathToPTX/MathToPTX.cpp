// math-to-ptx: scalar f32 math as PTX instructions, without a library of device
// functions. What has no instruction of its own and no formula here is left for
// upstream's expansions (MathToPTX runs them first where they exist).
#include "attn/Conversion/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Approximation.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
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
  return LLVM::CallIntrinsicOp::create(b, b.getF32Type(),
                                       b.getStringAttr(name), ValueRange{x})
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

using Emitter = Value (*)(ImplicitLocOpBuilder &, Value);

template <typename Op> struct UnaryToPTX : OpRewritePattern<Op> {
  UnaryToPTX(MLIRContext *context, Emitter emit)
      : OpRewritePattern<Op>(context, /*benefit=*/10), emit(emit) {}

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    if (!op.getType().isF32())
      return rewriter.notifyMatchFailure(op, "expects f32");
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

/// x / c as x * (1 / c), other quotients as div.full (2 units in the last place)
/// instead of a loop-free but long IEEE division.
struct ApproximateDivision : OpRewritePattern<arith::DivFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::DivFOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.getType().isF32())
      return rewriter.notifyMatchFailure(op, "expects f32");
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

void populate(RewritePatternSet &patterns, bool exact) {
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
  if (!exact)
    patterns.add<ApproximateDivision>(context);
  patterns.add<UnaryToPTX<math::Exp2Op>>(context, exp2);
  patterns.add<UnaryToPTX<math::ExpOp>>(
      context, [](ImplicitLocOpBuilder &b, Value x) {
        return exp2(b, scaled(b, x, log2e));
      });
  patterns.add<UnaryToPTX<math::Log2Op>>(context, log2);
  patterns.add<UnaryToPTX<math::LogOp>>(
      context, [](ImplicitLocOpBuilder &b, Value x) {
        return scaled(b, log2(b, x), ln2);
      });
  patterns.add<UnaryToPTX<math::SqrtOp>>(
      context, [](ImplicitLocOpBuilder &b, Value x) {
        return intrinsic(b, "llvm.nvvm.sqrt.rn.f", x);
      });
  patterns.add<UnaryToPTX<math::RsqrtOp>>(
      context, [](ImplicitLocOpBuilder &b, Value x) {
        return intrinsic(b, "llvm.nvvm.rsqrt.approx.f", x);
      });
  if (!exact)
    patterns.add<UnaryToPTX<math::TanhOp>>(context, approximateTanh);
  // Everything else as formulas of arith, exact to f32.
  populateMathPolynomialApproximationPatterns(patterns);
}

struct MathToPTX : attn::impl::MathToPTXPassBase<MathToPTX> {
  using MathToPTXPassBase::MathToPTXPassBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populate(patterns, exact);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
