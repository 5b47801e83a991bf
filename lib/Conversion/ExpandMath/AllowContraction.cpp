// allow-contraction: the kernels' products and sums may be fused, those that
// decide something may not.
#include "attn/Conversion/Passes.h"

#include "attn/Dialect/Attn/IR/ModProgram.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace mlir::attn {
#define GEN_PASS_DEF_ALLOWCONTRACTIONPASS
#include "attn/Conversion/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;

namespace {
struct AllowContraction
    : public mlir::attn::impl::AllowContractionPassBase<AllowContraction> {
  void runOnOperation() override {
    getOperation()->walk([](arith::ArithFastMathInterface op) {
      if (mlir::attn::isExact(op))
        return mlir::attn::unmarkExact(op);
      auto flags = arith::FastMathFlags::contract;
      if (arith::FastMathFlagsAttr known = op.getFastMathFlagsAttr())
        flags = flags | known.getValue();
      op->setAttr(op.getFastMathAttrName(),
                  arith::FastMathFlagsAttr::get(op.getContext(), flags));
    });
  }
};
} // namespace
