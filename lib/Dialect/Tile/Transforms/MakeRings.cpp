// tile-make-rings: tiles that are loaded come through rings of shared memory.
//
// The program stays one program: it fills a place, reads it, and releases it
// behind the last use. Who does which is tile-give-roles's question. So that
// each can answer it alone, everything says which tile it is about: the tiles
// of a ring are counted, over all tasks of a block.
//
// What a task loads for elementwise work alone stays: each thread loads its own
// elements.
#include "Rings.h"

#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILEMAKERINGSPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn::tile;

namespace {

class RingMaker {
public:
  RingMaker(gpu::GPUFuncOp func, TasksOp tasks,
            mlir::attn::ScheduleAttr schedule)
      : func(func), tasks(tasks), schedule(schedule),
        b(func.getLoc(), func.getContext()), rewriter(func.getContext()) {}

  LogicalResult run() {
    if (failed(findLoads()))
      return failure();
    b.setInsertionPointToStart(&func.getBody().front());
    for (LoadOp load : ofTask)
      makeRing(load, schedule.getPipeline().taskStages);
    for (Loop loop : loops)
      for (LoadOp load : loop.op.getOps<LoadOp>())
        makeRing(load, schedule.getPipeline().getStepStages(
                           /*first=*/neededFirst.contains(load)));
    replaceLoads();
    return success();
  }

private:
  /// A loop with loads, and the one that it is in, if there is one.
  struct Loop {
    scf::ForOp op, around;
  };

  LogicalResult findLoads() {
    Block &body = bodyOf(func, tasks);
    for (auto load : body.getOps<LoadOp>())
      if (!isForThreads(load))
        ofTask.push_back(load);
    for (auto loop : body.getOps<scf::ForOp>()) {
      addLoop(loop, /*around=*/nullptr);
      for (auto inner : loop.getOps<scf::ForOp>())
        addLoop(inner, loop);
    }
    if (loops.empty())
      return func.emitOpError() << "expects a loop with tile loads";
    for (Loop loop : loops)
      if (!matchPattern(loop.op.getStep(), m_One()))
        return loop.op->emitOpError() << "expects a step of 1";
    WalkResult result = func.walk([&](LoadOp load) {
      return failed(checkLoad(load)) ? WalkResult::interrupt()
                                     : WalkResult::advance();
    });
    return failure(result.wasInterrupted());
  }

  void addLoop(scf::ForOp loop, scf::ForOp around) {
    if (loop.getOps<LoadOp>().empty())
      return;
    loops.push_back({loop, around});
    neededFirst.insert(*loop.getOps<LoadOp>().begin());
  }

  /// Of the loads of a task.
  static bool isForThreads(LoadOp load) {
    return !load->use_empty() &&
           llvm::all_of(load->getUsers(), [](Operation *user) {
             return isa<linalg::GenericOp>(user);
           });
  }

  /// What TMA brings, and a ring holds; where it can be counted.
  LogicalResult checkLoad(LoadOp load) {
    bool inLoop = llvm::any_of(
        loops, [&](Loop loop) { return loop.op == load->getParentOp(); });
    if (!inLoop && load->getBlock() != &bodyOf(func, tasks))
      return load.emitOpError() << "expects to be in a task, in a loop of a "
                                   "task, or in a loop in such";
    if (!inLoop && !llvm::is_contained(ofTask, load))
      return success();
    if (!hasRole(func, load.getSource()))
      return load.emitOpError() << "expects memory that is an argument "
                                   "with a role";
    if (load.getPacked())
      return load.emitOpError() << "expects rows of one dimension to load into "
                                   "rings, got 'packed'";
    if (load.getOffsets().size() > 4)
      return load.emitOpError()
             << "expects memory of at most 5 dimensions, got "
             << load.getSource().getType();
    RankedTensorType tile = tileOf(load);
    if (tile.getRank() == 2 && tile.getElementType().isF32())
      return load.emitOpError()
             << "expects tiles of f16 or bf16 to load into rings, got " << tile;
    return RingType::verify([&] { return load.emitOpError(); }, /*stages=*/1,
                            tile);
  }

  /// What the ring has, which no threads hold.
  static RankedTensorType tileOf(LoadOp load) {
    return cast<RankedTensorType>(load.getType()).dropEncoding();
  }

  void makeRing(LoadOp load, int64_t stages) {
    RankedTensorType tile = tileOf(load);
    rings[load] = RingOp::create(b, RingType::get(b.getContext(), stages, tile),
                                 IntegerAttr(), IntegerAttr(), IntegerAttr());
    if (tile.getRank() == 2)
      maps[load] = tensorMapOf(func, load.getSource(), tile.getDimSize(0));
  }

  void replaceLoads() {
    Value before = constant(0);
    if (tasks)
      before = tasks.getBody().addArgument(b.getI32Type(), tasks.getLoc());
    // A block's only task need not free its places.
    for (LoadOp load : ofTask)
      replace(load, before, /*releases=*/!!tasks);
    SmallVector<Value> counts;
    for (Loop &loop : loops) {
      Value sum;
      if (tasks)
        sum = tasks.getBody().addArgument(b.getI32Type(), tasks.getLoc());
      Value count =
          loop.around ? countNested(loop, sum) : countIn(loop.op, sum);
      if (tasks)
        counts.push_back(count);
    }
    if (tasks)
      tasks.getBody().front().getTerminator()->setOperands(counts);
  }

  /// Replaces the loads of a loop, before which `before` (or null: no) tiles
  /// were counted. Returns how many it visits.
  Value countIn(scf::ForOp loop, Value before) {
    b.setInsertionPointToStart(loop.getBody());
    Value position = count(loop.getLowerBound(), loop.getInductionVar());
    if (before)
      position = arith::AddIOp::create(b, position, before);
    for (LoadOp load : llvm::make_early_inc_range(loop.getOps<LoadOp>()))
      replace(load, position, /*releases=*/true);
    b.setInsertionPointAfter(loop);
    return count(loop.getLowerBound(), loop.getUpperBound());
  }

  /// The same for a loop in another one, which then carries the count.
  Value countNested(Loop &loop, Value before) {
    b.setInsertionPoint(loop.around);
    if (!before)
      before = constant(0);
    FailureOr<LoopLikeOpInterface> replaced =
        loop.around.replaceWithAdditionalYields(
            rewriter, before, /*replaceInitOperandUsesInLoop=*/false,
            [&](OpBuilder &, Location, ArrayRef<BlockArgument> counted) {
              Value visited = countIn(loop.op, counted.front());
              Value sum = arith::AddIOp::create(b, counted.front(), visited);
              return SmallVector<Value>{sum};
            });
    auto around = cast<scf::ForOp>(**replaced);
    for (Loop &other : loops)
      if (other.around == loop.around)
        other.around = around;
    b.setInsertionPointAfter(around);
    return arith::SubIOp::create(b, around.getResults().back(), before);
  }

  void replace(LoadOp load, Value position, bool releases) {
    bool ahead = schedule.getPipeline().eager && neededFirst.contains(load);
    Operation *last = lastReader(load.getResult());
    b.setInsertionPoint(load);
    if (maps.count(load))
      FillOp::create(b, rings[load], position, maps[load], load.getOffsets(),
                     ahead);
    else
      FillVectorOp::create(b, rings[load], position, load.getSource(),
                           load.getOffsets());
    auto ring = cast<RingType>(rings[load].getType());
    auto read = ReadOp::create(b, ring.getTileInSlot(), rings[load], position,
                               /*arrived=*/Value());
    b.setInsertionPointAfter(last == load ? read : last);
    if (releases)
      ReleaseOp::create(b, rings[load], position);
    load.replaceAllUsesWith(read.getResult());
    load.erase();
  }

  /// How many tiles a loop from `low` visits before it comes to `j`, i32.
  Value count(Value low, Value j) {
    Value count = arith::SubIOp::create(b, j, low);
    return count.getType().isInteger(32)
               ? count
               : Value(arith::IndexCastOp::create(b, b.getI32Type(), count));
  }

  Value constant(int64_t value) {
    return arith::ConstantIntOp::create(b, value, 32);
  }

  gpu::GPUFuncOp func;
  TasksOp tasks; ///< null: one task for each block
  mlir::attn::ScheduleAttr schedule;
  ImplicitLocOpBuilder b;
  IRRewriter rewriter;
  SmallVector<LoadOp> ofTask;
  SmallVector<Loop> loops;
  /// A step begins with the tile of its first load, and comes to the others
  /// only when it has that: scores before the product with values.
  llvm::SmallPtrSet<Operation *, 4> neededFirst;
  llvm::DenseMap<Operation *, Value> rings, maps;
};

struct TileMakeRings
    : mlir::attn::tile::impl::TileMakeRingsPassBase<TileMakeRings> {
  using TileMakeRingsPassBase::TileMakeRingsPassBase;

  void runOnOperation() override {
    gpu::GPUFuncOp func = getOperation();
    if (!func.isKernel())
      return;
    auto schedule = scheduleWithProducers(func);
    if (failed(schedule))
      return signalPassFailure();
    FailureOr<TasksOp> tasks = tasksOf(func);
    if (failed(tasks) || failed(RingMaker(func, *tasks, *schedule).run()))
      signalPassFailure();
  }
};

} // namespace
