// tile-share-operands: see its description in Passes.td.
#include "Rings.h"
#include "Turned.h"

#include "attn/Dialect/Tile/IR/SharedMemory.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILESHAREOPERANDSPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

static LogicalResult share(gpu::GPUFuncOp func, linalg::ContractOp product) {
  Value step = stepOf(product);
  if (!step)
    return product.emitOpError()
           << "expects a step that reads tiles from rings before it";
  OpOperand &lhs = product->getOpOperand(0);
  auto type = cast<RankedTensorType>(lhs.get().getType());
  if (type.getElementTypeBitWidth() != 16)
    return product.emitOpError()
           << "expects 16-bit elements to share, got " << type;
  RingOp ring = addRing(func, shared::sharedOperandStages, type);
  OpBuilder b(product);
  lhs.set(ShareOp::create(b, product.getLoc(), ring.getType().getTileInSlot(),
                          lhs.get(), ring, step));
  return success();
}

namespace {
struct TileShareOperands
    : tile::impl::TileShareOperandsPassBase<TileShareOperands> {
  using TileShareOperandsPassBase::TileShareOperandsPassBase;

  void runOnOperation() override {
    SmallVector<linalg::ContractOp> products;
    getOperation().walk([&](linalg::ContractOp product) {
      Value lhs = product.getDpsInputs()[0];
      if (turnsRows(product) && !lhs.getDefiningOp<ReadOp>() &&
          !lhs.getDefiningOp<ShareOp>())
        products.push_back(product);
    });
    for (linalg::ContractOp product : products)
      if (failed(share(getOperation(), product)))
        return signalPassFailure();
  }
};
} // namespace
