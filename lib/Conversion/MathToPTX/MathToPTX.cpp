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
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

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
template <typename Op, typename Intrinsic>
struct ToIntrinsic : OpRewritePattern<Op> {
  ToIntrinsic(MLIRContext *context)
      : OpRewritePattern<Op>(context, /*benefit=*/10) {}

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<Intrinsic>(op, op.getType(), op->getOperands());
    return success();
  }
};

void populate(RewritePatternSet &patterns, bool exactTanh) {
  MLIRContext *context = patterns.getContext();
  patterns.add<ToIntrinsic<arith::MaxNumFOp, LLVM::MaxNumOp>,
               ToIntrinsic<arith::MinNumFOp, LLVM::MinNumOp>,
               ToIntrinsic<arith::MaximumFOp, LLVM::MaximumOp>,
               ToIntrinsic<arith::MinimumFOp, LLVM::MinimumOp>,
               ToIntrinsic<math::FmaOp, LLVM::FMAOp>,
               ToIntrinsic<math::AbsFOp, LLVM::FAbsOp>,
               ToIntrinsic<math::CopySignOp, LLVM::CopySignOp>,
               ToIntrinsic<math::FloorOp, LLVM::FFloorOp>,
               ToIntrinsic<math::CeilOp, LLVM::FCeilOp>,
               ToIntrinsic<math::TruncOp, LLVM::FTruncOp>,
               ToIntrinsic<math::RoundEvenOp, LLVM::RoundEvenOp>>(context);
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
  if (!exactTanh)
    patterns.add<UnaryToPTX<math::TanhOp>>(context, approximateTanh);
  // Everything else as formulas of arith, exact to f32.
  populateMathPolynomialApproximationPatterns(patterns);
}

struct MathToPTX : attn::impl::MathToPTXPassBase<MathToPTX> {
  using MathToPTXPassBase::MathToPTXPassBase;

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populate(patterns, exactTanh);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
