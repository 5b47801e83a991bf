// Moves bf16 as i16: back ends know what to do with vectors of integers of any
// length, and X86's aborts over a copy of 9 bf16. See BF16ToI16Pass in
// Passes.td.
#include "attn/Conversion/Passes.h"

#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/AttrTypeSubElements.h"

namespace mlir::attn {
#define GEN_PASS_DEF_BF16TOI16PASS
#include "attn/Conversion/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;

static bool isBF16(Type type) { return getElementTypeOrSelf(type).isBF16(); }

/// Whether `op` computes numbers, and does not only move or reinterpret them.
static bool computes(Operation *op) {
  if (isa<arith::ConstantOp, arith::SelectOp, arith::BitcastOp>(op))
    return false;
  return isa<arith::ArithDialect, math::MathDialect>(op->getDialect()) ||
         isa<vector::FMAOp, vector::ReductionOp, vector::MultiDimReductionOp,
             vector::ContractionOp, vector::OuterProductOp, vector::ScanOp>(op);
}

namespace {
struct BF16ToI16 : public mlir::attn::impl::BF16ToI16PassBase<BF16ToI16> {
  void runOnOperation() override {
    WalkResult checked = getOperation()->walk([](Operation *op) -> WalkResult {
      if (!computes(op) || (llvm::none_of(op->getOperandTypes(), isBF16) &&
                            llvm::none_of(op->getResultTypes(), isBF16)))
        return success();
      return op->emitOpError("expects numbers of bf16 to be computed in f32");
    });
    if (checked.wasInterrupted())
      return signalPassFailure();
    Type bits = IntegerType::get(&getContext(), 16);
    AttrTypeReplacer replacer;
    replacer.addReplacement([bits](BFloat16Type) { return bits; });
    // Registers of a matrix unit, which multiplies what is in them.
    replacer.addReplacement([](amx::TileType tile) {
      return std::pair<Type, WalkResult>(tile, WalkResult::skip());
    });
    replacer.addReplacement(
        [bits](FloatAttr number) -> std::optional<Attribute> {
          if (!number.getType().isBF16())
            return std::nullopt;
          return IntegerAttr::get(bits, number.getValue().bitcastToAPInt());
        });
    replacer.addReplacement(
        [bits](DenseElementsAttr numbers) -> std::optional<Attribute> {
          if (!numbers.getElementType().isBF16())
            return std::nullopt;
          return numbers.bitcast(bits);
        });
    replacer.recursivelyReplaceElementsIn(getOperation(), /*replaceAttrs=*/true,
                                          /*replaceLocs=*/false,
                                          /*replaceTypes=*/true);
  }
};
} // namespace
