// tile-split-nonfinite: see its description in Passes.td.
#include "attn/Dialect/Tile/IR/Marks.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILESPLITNONFINITEPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

/// The product that a branch consists of; null if it is anything else.
static linalg::ContractOp onlyProduct(Block &branch) {
  auto yield = cast<scf::YieldOp>(branch.getTerminator());
  if (yield.getNumOperands() != 1)
    return nullptr;
  auto product = yield.getOperand(0).getDefiningOp<linalg::ContractOp>();
  return product && product->getBlock() == &branch ? product : nullptr;
}

static LogicalResult split(scf::IfOp branch) {
  if (!branch.elseBlock() || branch.getNumResults() != 1)
    return branch.emitOpError() << "expects a product in both branches";
  linalg::ContractOp exact = onlyProduct(*branch.thenBlock());
  linalg::ContractOp plain = onlyProduct(*branch.elseBlock());
  if (!exact)
    return branch.emitOpError() << "expects a product in both branches";
  if (!plain || plain->hasAttr(zeroSafeMark) ||
      exact->getOperands() != plain->getOperands())
    return exact->emitOpError()
           << "expects the same product, not zero-safe, in the other branch";
  Value weights = plain.getDpsInputs()[0], values = plain.getDpsInputs()[1],
        init = plain.getDpsInits()[0];
  if (!isa_and_nonnull<ViewOp, ReadOp>(values.getDefiningOp()))
    return exact->emitOpError() << "expects its values in shared memory";

  ImplicitLocOpBuilder b(branch.getLoc(), branch);
  Value condition = branch.getCondition();
  if (cast<RankedTensorType>(values.getType()).getElementType().isF32())
    condition = HasNonfiniteOp::create(b, b.getI1Type(), values);
  auto before = scf::IfOp::create(
      b, condition,
      [&](OpBuilder &nested, Location loc) {
        Value added = AddNonfiniteOp::create(nested, loc, init.getType(),
                                             weights, values, init);
        ClearNonfiniteOp::create(nested, loc, values);
        scf::YieldOp::create(nested, loc, added);
      },
      [&](OpBuilder &nested, Location loc) {
        scf::YieldOp::create(nested, loc, init);
      });
  plain->moveBefore(branch);
  plain.getDpsInitsMutable()[0].set(before.getResult(0));
  branch.getResult(0).replaceAllUsesWith(plain->getResult(0));
  branch.erase();
  return success();
}

namespace {
struct TileSplitNonfinite
    : tile::impl::TileSplitNonfinitePassBase<TileSplitNonfinite> {
  using TileSplitNonfinitePassBase::TileSplitNonfinitePassBase;

  void runOnOperation() override {
    llvm::SetVector<Operation *> branches;
    getOperation().walk([&](linalg::ContractOp op) {
      if (op->hasAttr(zeroSafeMark))
        if (auto branch = dyn_cast<scf::IfOp>(op->getParentOp()))
          branches.insert(branch);
    });
    for (Operation *branch : branches)
      if (failed(split(cast<scf::IfOp>(branch))))
        return signalPassFailure();
  }
};
} // namespace
