// tile-stage-loads: which buffers in shared memory tiles have, and when they
// are copied.
//
// In a loop with loads L0 .. Ln-1 (n >= 2), slot i is the point after the last
// reading of tile i-1. There the threads wait for the copy of Li, meet at a
// barrier (so that the copy is visible to all, and all have finished reading
// what the next copy overwrites) and start the copy of the load after it, which
// for the last one is L0 of the next iteration.
#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::tile {
#define GEN_PASS_DEF_TILESTAGELOADSPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::tile

using namespace mlir;
using namespace mlir::tile;

namespace {

/// Rows are padded by 16 bytes: then eight consecutive rows lie in different
/// banks, for ldmatrix as for the 4-byte reads of f32 fragments.
constexpr int64_t rowPadding = 16;

/// A left operand of at most this many 32-bit registers a thread is read once.
constexpr int64_t maxOperandRegisters = 16;

class LoadStager {
public:
  LoadStager(gpu::GPUFuncOp func, mlir::attn::ScheduleAttr schedule)
      : func(func), schedule(schedule),
        b(func.getLoc(), &func.getBody().front(),
          func.getBody().front().begin()) {}

  LogicalResult run() {
    SmallVector<LoadOp> before;
    scf::ForOp loop;
    for (Operation &op : func.getBody().front()) {
      if (auto load = dyn_cast<LoadOp>(op))
        before.push_back(load);
      if (auto candidate = dyn_cast<scf::ForOp>(op);
          candidate && !candidate.getOps<LoadOp>().empty()) {
        if (loop)
          return candidate.emitOpError() << "expects one loop with tile loads";
        loop = candidate;
      }
    }
    if (!loop)
      return func.emitOpError() << "expects a loop with tile loads";
    SmallVector<LoadOp> inLoop(loop.getOps<LoadOp>());
    if (inLoop.size() < 2)
      return loop.emitOpError() << "expects at least two tile loads";

    SmallVector<Value> bufferBefore = allocateAll(before),
                       bufferInLoop = allocateAll(inLoop);

    b.setInsertionPoint(loop);
    for (auto [load, buffer] : llvm::zip(before, bufferBefore))
      copy(load, load.getOffsets(), buffer);
    copyOfIteration(inLoop[0], bufferInLoop[0], loop, loop.getLowerBound());
    NVVM::CpAsyncCommitGroupOp::create(b);
    waitForCopies();
    for (auto [load, buffer] : llvm::zip(before, bufferBefore))
      replaceByView(load, buffer, /*keepInRegisters=*/fitsRegisters(load));
    stageLoop(loop, inLoop, bufferInLoop);
    return success();
  }

private:
  //===--- buffers --------------------------------------------------------===//
  SmallVector<Value> allocateAll(ArrayRef<LoadOp> loads) {
    SmallVector<Value> buffers;
    for (LoadOp load : loads)
      buffers.push_back(allocate(cast<RankedTensorType>(load.getType())));
    return buffers;
  }

  Value allocate(RankedTensorType tile) {
    auto space = gpu::AddressSpaceAttr::get(b.getContext(),
                                            gpu::AddressSpace::Workgroup);
    int64_t width = tile.getElementTypeBitWidth() / 8;
    auto type = MemRefType::get(
        {tile.getDimSize(0), tile.getDimSize(1) + rowPadding / width},
        tile.getElementType(), MemRefLayoutAttrInterface(), space);
    return memref::AllocOp::create(b, type);
  }

  bool fitsRegisters(LoadOp load) {
    auto type = cast<RankedTensorType>(load.getType());
    int64_t threads = 32 * schedule.getWarps();
    return type.getElementTypeBitWidth() == 16 &&
           type.getNumElements() * type.getElementTypeBitWidth() / 32 /
                   threads <=
               maxOperandRegisters;
  }

  //===--- copies ---------------------------------------------------------===//
  void copy(LoadOp load, ValueRange offsets, Value buffer) {
    CopyOp::create(b, load.getSource(), offsets, buffer, schedule.getAligned());
  }

  /// The copy that `load` stands for in the iteration whose variable is `j`.
  void copyOfIteration(LoadOp load, Value buffer, scf::ForOp loop, Value j) {
    IRMapping mapping;
    mapping.map(loop.getInductionVar(), j);
    SetVector<Operation *> slice;
    BackwardSliceOptions options;
    options.omitBlockArguments = true;
    options.inclusive = true;
    options.filter = [&](Operation *op) {
      return op->getBlock() == loop.getBody();
    };
    for (Value offset : load.getOffsets())
      if (Operation *op = offset.getDefiningOp(); op && options.filter(op))
        (void)getBackwardSlice(offset, &slice, options);
    for (Operation *op : slice)
      b.clone(*op, mapping);
    SmallVector<Value> offsets;
    for (Value offset : load.getOffsets())
      offsets.push_back(mapping.lookupOrDefault(offset));
    copy(load, offsets, buffer);
  }

  void waitForCopies() {
    NVVM::CpAsyncWaitGroupOp::create(b, 0);
    gpu::BarrierOp::create(b);
  }

  Value replaceByView(LoadOp load, Value buffer, bool keepInRegisters) {
    Value view = ViewOp::create(b, load.getType(), buffer, keepInRegisters);
    load.replaceAllUsesWith(view);
    load.erase();
    return view;
  }

  void stageLoop(scf::ForOp loop, ArrayRef<LoadOp> loads,
                 ArrayRef<Value> buffers) {
    // Slots are found before views replace the loads.
    SmallVector<Operation *> slots;
    for (size_t i = 0; i < loads.size(); ++i)
      slots.push_back(i == 0 ? &loop.getBody()->front()
                             : lastReader(loads[i - 1], loop)->getNextNode());
    for (size_t i = 0; i < loads.size(); ++i) {
      b.setInsertionPoint(slots[i]);
      waitForCopies();
      if (i + 1 < loads.size()) {
        copyOfIteration(loads[i + 1], buffers[i + 1], loop,
                        loop.getInductionVar());
      } else {
        Value next =
            arith::AddIOp::create(b, loop.getInductionVar(), loop.getStep());
        Value more = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, next,
                                           loop.getUpperBound());
        auto ifMore = scf::IfOp::create(b, more, /*withElseRegion=*/false);
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPoint(ifMore.thenYield());
        copyOfIteration(loads[0], buffers[0], loop, next);
      }
      NVVM::CpAsyncCommitGroupOp::create(b);
    }
    for (auto [slot, load, buffer] : llvm::zip(slots, loads, buffers)) {
      b.setInsertionPoint(slot);
      replaceByView(load, buffer, /*keepInRegisters=*/false);
    }
  }

  /// The last operation of the loop's body that reads the tile, itself or in a
  /// region.
  Operation *lastReader(LoadOp load, scf::ForOp loop) {
    Operation *last = load;
    for (Operation *user : load->getUsers()) {
      Operation *ancestor = loop.getBody()->findAncestorOpInBlock(*user);
      if (last->isBeforeInBlock(ancestor))
        last = ancestor;
    }
    return last;
  }

  gpu::GPUFuncOp func;
  mlir::attn::ScheduleAttr schedule;
  ImplicitLocOpBuilder b;
};

struct TileStageLoads : tile::impl::TileStageLoadsPassBase<TileStageLoads> {
  using TileStageLoadsPassBase::TileStageLoadsPassBase;

  void runOnOperation() override {
    gpu::GPUFuncOp func = getOperation();
    if (!func.isKernel())
      return;
    auto schedule =
        func->getAttrOfType<mlir::attn::ScheduleAttr>("attn.schedule");
    if (!schedule) {
      func.emitOpError() << "expects a schedule";
      return signalPassFailure();
    }
    if (schedule.getStages() != 1) {
      func.emitOpError() << "expects a schedule of 1 stage, got "
                         << schedule.getStages();
      return signalPassFailure();
    }
    if (failed(LoadStager(func, schedule).run()))
      signalPassFailure();
  }
};

} // namespace
