// tile-store-sums: see its description in Passes.td.
#include "Rings.h"

#include "attn/Dialect/Tile/IR/SharedMemory.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILESTORESUMSPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

static LogicalResult store(gpu::GPUFuncOp func, ReduceAddOp sums,
                           int64_t stages) {
  Value step = stepOf(sums);
  if (!step)
    return sums.emitOpError()
           << "expects a step that reads tiles from rings before it";
  // The ring has what each thread holds, whatever its layout says.
  auto type = cast<RankedTensorType>(sums.getTile().getType());
  int64_t bytes = shared::floatBytes(type.getNumElements());
  RingOp ring =
      addRing(func, shared::sumStages(bytes, stages),
              RankedTensorType::get(type.getShape(), type.getElementType()));
  ImplicitLocOpBuilder b(sums.getLoc(), sums);
  PutOp::create(b, sums.getTile(), ring, step);
  HandOnOp::create(b, ring, step);
  AddToMemoryOp::create(b, ring, step, sums.getDest(), sums.getOffsets());
  sums.erase();
  return success();
}

namespace {
struct TileStoreSums : tile::impl::TileStoreSumsPassBase<TileStoreSums> {
  using TileStoreSumsPassBase::TileStoreSumsPassBase;

  void runOnOperation() override {
    gpu::GPUFuncOp func = getOperation();
    if (!func.isKernel())
      return;
    auto schedule = scheduleWithProducers(func);
    if (failed(schedule))
      return signalPassFailure();
    SmallVector<ReduceAddOp> all;
    func.walk([&](ReduceAddOp sums) { all.push_back(sums); });
    for (ReduceAddOp sums : all)
      if (failed(store(func, sums, schedule->getPipeline().stages)))
        return signalPassFailure();
  }
};
} // namespace
