// Expands elementary functions into arithmetic that vectorises. See
// ExpandMathPass in Passes.td; the formulas are beside this file.
#include "attn/Conversion/MathExpansions.h"
#include "attn/Conversion/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace mlir::attn {
#define GEN_PASS_DEF_EXPANDMATHPASS
#include "attn/Conversion/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;

namespace {
struct ExpandMath : public mlir::attn::impl::ExpandMathPassBase<ExpandMath> {
  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet set(context);
    mlir::attn::populateMathExpansions(set);
    mlir::attn::populateExactExtrema(set);
    patterns = std::move(set);
    return success();
  }

  void runOnOperation() override {
    mlir::attn::ExactListener listener;
    GreedyRewriteConfig config;
    config.setListener(&listener);
    if (failed(applyPatternsGreedily(getOperation(), patterns, config)))
      signalPassFailure();
  }

  FrozenRewritePatternSet patterns;
};
} // namespace
