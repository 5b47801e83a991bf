// tile-read-early: see its description in Passes.td.
#include "Earlier.h"

#include "attn/Dialect/Tile/IR/TileDialect.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILEREADEARLYPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

namespace {

/// Whether `op` makes a tile by reading captured memory, which nobody writes,
/// and does nothing else.
bool readsTile(Operation &op) {
  if (!isa<scf::IfOp, linalg::GenericOp>(op) || op.getNumResults() != 1 ||
      !isa<RankedTensorType>(op.getResult(0).getType()))
    return false;
  bool reads = false;
  WalkResult found = op.walk([&](Operation *inner) {
    if (isa<memref::LoadOp>(inner)) {
      reads = true;
      return WalkResult::advance();
    }
    return isMemoryEffectFree(inner) ||
                   inner->hasTrait<OpTrait::HasRecursiveMemoryEffects>()
               ? WalkResult::advance()
               : WalkResult::interrupt();
  });
  return reads && !found.wasInterrupted();
}

struct TileReadEarly : tile::impl::TileReadEarlyPassBase<TileReadEarly> {
  using TileReadEarlyPassBase::TileReadEarlyPassBase;

  void runOnOperation() override {
    getOperation().walk([](AwaitOp await) {
      for (Operation *op = await->getNextNode(); op;) {
        Operation *next = op->getNextNode();
        if (readsTile(*op) && moveNeededBefore(await, op))
          op->moveBefore(await);
        op = next;
      }
    });
  }
};

} // namespace
