// tile-drain-output: the output leaves by TMA, through the place of
// a tile that was read before the loop, which nobody reads any more: the
// queries'.
#include "Rings.h"

#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILEDRAINOUTPUTPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

/// Rows that a warp stores at once.

static constexpr int64_t drainRows = 16;

static RankedTensorType typeOf(Value tile) {
  return cast<RankedTensorType>(tile.getType());
}

/// The last matrix that the body stores, null if there is none.
static StoreOp outputOf(Block &body) {
  StoreOp output;
  for (auto store : body.getOps<StoreOp>())
    if (typeOf(store.getTile()).getRank() == 2)
      output = store;
  return output;
}

/// The first operation of the kind in the body, null if there is none.
template <typename Op>
static Op firstOf(Block &body, llvm::function_ref<bool(Op)> holds) {
  for (auto op : body.getOps<Op>())
    if (holds(op))
      return op;
  return Op();
}

static LogicalResult check(gpu::GPUFuncOp func, ReadOp place, StoreOp output) {
  if (!place || !output || !hasRole(func, output.getDest()))
    return func.emitOpError()
           << "expects a query tile and an output that is an argument with "
              "a role, to 'drain' the one through the other";
  if (output.getPacked())
    return output.emitOpError() << "expects rows of one dimension to 'drain', "
                                   "got 'packed'";
  auto width = [](Value tile) {
    return llvm::alignTo(typeOf(tile).getDimSize(1), 64);
  };
  if (width(output.getTile()) > width(place.getResult()))
    return output.emitOpError() << "expects a query tile at least as wide as "
                                   "the output to 'drain' it, got "
                                << place.getType();
  if (output->isBeforeInBlock(lastReader(place.getResult())))
    return output.emitOpError()
           << "expects an output behind the last use of the query tile, to "
              "'drain' it through its place";
  return success();
}

/// Before the loop of a task: the place of the task's before, whose output left
/// while this one was begun, is free when TMA has read it.
static void releaseLate(ImplicitLocOpBuilder &b, Value ring, Value position) {
  Value any = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, position,
                                    arith::ConstantIntOp::create(b, 0, 32));
  auto branch = scf::IfOp::create(b, any, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(branch.thenYield());
  AwaitDrainOp::create(b);
  ReleaseOp::create(b, ring,
                    arith::SubIOp::create(
                        b, position, arith::ConstantIntOp::create(b, 1, 32)));
}

static void drain(gpu::GPUFuncOp func, TasksOp tasks, ReadOp place,
                  StoreOp output, bool late) {
  Block &body = bodyOf(func, tasks);
  Value ring = place.getRing(), position = place.getPosition();
  auto release = firstOf<ReleaseOp>(
      body, [&](ReleaseOp op) { return op.getRing() == ring; });
  auto loop = firstOf<scf::ForOp>(
      body, [](scf::ForOp op) { return !op.getOps<ReadOp>().empty(); });

  ImplicitLocOpBuilder b(output.getLoc(), output);
  DrainOp::create(b, output.getTile(), ring, position,
                  tensorMapOf(func, output.getDest(), drainRows),
                  output.getOffsets());
  if (late && release && loop) {
    release.erase();
    b.setInsertionPoint(loop);
    releaseLate(b, ring, position);
    b.setInsertionPointAfter(tasks);
    AwaitDrainOp::create(b);
  } else {
    auto drained = AwaitDrainOp::create(b);
    if (release)
      release->moveAfter(drained);
  }
  output.erase();
}

namespace {
struct TileDrainOutput : tile::impl::TileDrainOutputPassBase<TileDrainOutput> {
  using TileDrainOutputPassBase::TileDrainOutputPassBase;

  void runOnOperation() override {
    gpu::GPUFuncOp func = getOperation();
    if (!func.isKernel())
      return;
    auto schedule = scheduleWithProducers(func);
    if (failed(schedule))
      return signalPassFailure();
    if (!schedule->getPipeline().drain)
      return;
    FailureOr<TasksOp> tasks = tasksOf(func);
    if (failed(tasks))
      return signalPassFailure();
    Block &body = bodyOf(func, *tasks);
    auto place = firstOf<ReadOp>(body, [](ReadOp) { return true; });
    StoreOp output = outputOf(body);
    if (failed(check(func, place, output)))
      return signalPassFailure();
    drain(func, *tasks, place, output, schedule->getPipeline().eager);
  }
};
} // namespace
