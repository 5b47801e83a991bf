// tile-stage-loads: which buffers in shared memory tiles have, and when they
// are copied.
//
// In a loop with loads L0 .. Ln-1 (n >= 2), slot i is the point after the last
// reading of tile i-1. There the threads wait for the copy of Li, meet at a
// barrier (so that the copy is visible to all, and all have finished reading
// what the next copy overwrites) and start the copy of the load after it, which
// for the last one is L0 of the next iteration.
//
// Where tiles are not read one after the other, all of an iteration are copied
// together: with two stages during the iteration before, to the other half of
// their buffers; with one at its begin.
//
// What no product reads is left to the threads: each loads its own elements.
#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Tile/IR/SharedMemory.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"
#include "attn/Dialect/Tile/Transforms/Meeting.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn::tile {
#define GEN_PASS_DEF_TILESTAGELOADSPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::attn::tile

using namespace mlir;
using namespace mlir::attn::tile;

namespace {

/// A left operand of at most this many 32-bit registers a thread is read once.
constexpr int64_t maxOperandRegisters = 16;

class LoadStager {
public:
  LoadStager(gpu::GPUFuncOp func, mlir::attn::ScheduleAttr schedule)
      : func(func), schedule(schedule),
        b(func.getLoc(), &func.getBody().front(),
          func.getBody().front().begin()) {}

  LogicalResult run() {
    if (!hasLoads())
      return success();
    if (failed(findLoads()))
      return failure();
    return readsInTurn() ? stageInTurn() : stageTogether();
  }

private:
  /// Kernels that sum numbers, and those of rows, have none that threads share.
  bool hasLoads() {
    return func
        .walk([](LoadOp load) {
          return isForThreads(load) ? WalkResult::advance()
                                    : WalkResult::interrupt();
        })
        .wasInterrupted();
  }

  LogicalResult findLoads() {
    SmallVector<LoadOp> loads;
    func.walk([&](LoadOp load) {
      if (!isForThreads(load))
        loads.push_back(load);
    });
    // The innermost loop around the first load that is in any.
    for (LoadOp load : loads)
      if (auto parent = dyn_cast<scf::ForOp>(load->getParentOp());
          parent && (!loop || loop->isProperAncestor(parent)))
        loop = parent;
    for (LoadOp load : loads) {
      if (isBefore(load))
        before.push_back(load);
      else if (loop && load->getParentOp() == loop)
        inLoop.push_back(load);
      else
        return load.emitOpError() << "expects to be before or in one loop";
    }
    if (!loop)
      return func.emitOpError() << "expects a loop with tile loads";
    if (inLoop.size() < 2)
      return loop.emitOpError() << "expects at least two tile loads";
    return success();
  }

  /// Whether `load` is in the kernel's block or in the loop's, before the loop.
  bool isBefore(LoadOp load) {
    Block *block = load->getBlock(), *body = &func.getBody().front();
    if (!loop)
      return block == body;
    Operation *around = block->findAncestorOpInBlock(*loop);
    return (block == body || block == loop->getBlock()) && around &&
           load->isBeforeInBlock(around);
  }

  static bool isForThreads(LoadOp load) {
    return cast<RankedTensorType>(load.getType()).getRank() == 1 ||
           llvm::all_of(load->getUsers(), [](Operation *user) {
             return isa<linalg::GenericOp>(user);
           });
  }

  /// Whether each tile of an iteration is read for the last time before the
  /// next one is read at all.
  bool readsInTurn() {
    if (loop->getBlock() != &func.getBody().front())
      return false;
    Operation *last = nullptr;
    for (LoadOp load : inLoop) {
      for (Operation *user : load->getUsers())
        if (last && !last->isBeforeInBlock(
                        loop.getBody()->findAncestorOpInBlock(*user)))
          return false;
      last = lastReader(load, loop);
    }
    return true;
  }

  //===--- one after the other --------------------------------------------===//
  LogicalResult stageInTurn() {
    if (schedule.getPipeline().stages != 1)
      return func.emitOpError() << "expects a schedule of 1 stage, got "
                                << schedule.getPipeline().stages;
    SmallVector<Value> bufferBefore = allocateAll(before),
                       bufferInLoop = allocateAll(inLoop);

    b.setInsertionPoint(loop);
    for (auto [load, buffer] : llvm::zip(before, bufferBefore))
      copy(load, load.getOffsets(), buffer);
    copyOfIteration(inLoop[0], bufferInLoop[0], loop.getLowerBound());
    NVVM::CpAsyncCommitGroupOp::create(b);
    waitForCopies();
    for (auto [load, buffer] : llvm::zip(before, bufferBefore))
      replaceByView(load, buffer, /*keepInRegisters=*/fitsRegisters(load));
    stageLoop(bufferInLoop);
    return success();
  }

  //===--- together -------------------------------------------------------===//
  LogicalResult stageTogether() {
    bool ahead = schedule.getPipeline().stages == 2;
    SmallVector<Value> bufferBefore = allocateAll(before), rings;
    for (LoadOp load : inLoop)
      rings.push_back(allocateStages(load));

    // Tiles before the loops are visible behind its first barrier, but may be
    // read earlier.
    // Others may still read what a loop left when it ran before.
    bool needsBarrier = isInLoop(loop);
    if (!before.empty()) {
      b.setInsertionPointAfter(before.back());
      if (isInLoop(before.back())) {
        meet(b, schedule);
        needsBarrier = false;
      }
      for (auto [load, buffer] : llvm::zip(before, bufferBefore))
        copy(load, load.getOffsets(), buffer);
      NVVM::CpAsyncCommitGroupOp::create(b);
    }
    // The first tiles of the loop are on their way while those before it are
    // awaited, unless these are read earlier, or once for several loops.
    bool together = ahead && areForLoopAlone(before);
    if (!together)
      awaitBefore(bufferBefore, /*pending=*/0);
    if (ahead) {
      b.setInsertionPoint(loop);
      if (needsBarrier)
        meet(b, schedule);
      copyFirst(rings, /*mayBeNone=*/together);
    }
    if (together)
      awaitBefore(bufferBefore, /*pending=*/groupsOfStep());
    b.setInsertionPointToStart(loop.getBody());
    if (ahead && isOneWarp(schedule)) {
      stageByWarp(rings);
      return success();
    }
    Value j = loop.getInductionVar();
    if (ahead) {
      waitForCopies();
      forNext([&](Value next) { copyAll(rings, next); });
    } else {
      meet(b, schedule);
      copyAll(rings, j);
      waitForCopies();
    }
    for (auto [load, ring] : llvm::zip(inLoop, rings)) {
      if (b.getInsertionPoint() == Block::iterator(load))
        b.setInsertionPointAfter(load); // which is erased
      Value buffer = stageOf(load, ring, j);
      replaceByView(load, buffer, /*keepInRegisters=*/false);
    }
    return success();
  }

  /// The tiles of the loop's first iteration, where that `mayBeNone`: a task
  /// may have none, and the next one's must not overtake them.
  void copyFirst(ArrayRef<Value> rings, bool mayBeNone) {
    Value first = loop.getLowerBound();
    for (size_t i = 0; i < inLoop.size(); ++i) {
      auto copy = [&] {
        copyOfIteration(inLoop[i], stageOf(inLoop[i], rings[i], first), first);
      };
      mayBeNone ? forFirst(copy) : copy();
      if (i + 1 == inLoop.size() || isOneWarp(schedule))
        NVVM::CpAsyncCommitGroupOp::create(b);
    }
  }

  /// A warp that is alone need not wait for others: the next iteration's copies
  /// are on their way before it waits for those of its own, one by one.
  int64_t groupsOfStep() {
    return isOneWarp(schedule) ? static_cast<int64_t>(inLoop.size()) : 1;
  }

  void stageByWarp(ArrayRef<Value> rings) {
    meet(b, schedule);
    for (auto [load, ring] : llvm::zip(inLoop, rings)) {
      forNext([&, load = load, ring = ring](Value next) {
        copyOfIteration(load, stageOf(load, ring, next), next);
      });
      NVVM::CpAsyncCommitGroupOp::create(b);
    }
    int64_t pending = 2 * groupsOfStep();
    for (auto [load, ring] : llvm::zip(inLoop, rings)) {
      if (pending < 2 * groupsOfStep())
        b.setInsertionPoint(load);
      waitForCopies(--pending);
      if (b.getInsertionPoint() == Block::iterator(load))
        b.setInsertionPointAfter(load); // which is erased
      Value buffer = stageOf(load, ring, loop.getInductionVar());
      replaceByView(load, buffer, /*keepInRegisters=*/false);
    }
  }

  /// `pending`: groups of copies that may still be on their way.
  void awaitBefore(ArrayRef<Value> buffers, int64_t pending) {
    if (before.empty())
      return;
    waitForCopies(pending);
    for (auto [load, buffer] : llvm::zip(before, buffers)) {
      load->moveBefore(&*b.getInsertionPoint());
      replaceByView(load, buffer, /*keepInRegisters=*/fitsRegisters(load));
    }
  }

  bool areForLoopAlone(ArrayRef<LoadOp> loads) {
    auto isForLoopAlone = [&](LoadOp load) {
      return load->getBlock() == loop->getBlock() &&
             llvm::all_of(load->getUsers(), [&](Operation *user) {
               return loop->isProperAncestor(user);
             });
    };
    return !loads.empty() && llvm::all_of(loads, isForLoopAlone);
  }

  static bool isInLoop(Operation *op) {
    return isa<scf::ForOp, scf::WhileOp>(op->getParentOp());
  }

  /// What `copy` emits, if there is a first iteration.
  void forFirst(llvm::function_ref<void()> copy) {
    Value any =
        arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                              loop.getLowerBound(), loop.getUpperBound());
    auto ifAny = scf::IfOp::create(b, any, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(ifAny.thenYield());
    copy();
  }

  /// What `copy` emits for the next iteration, if there is one.
  void forNext(llvm::function_ref<void(Value)> copy) {
    Value next =
        arith::AddIOp::create(b, loop.getInductionVar(), loop.getStep());
    Value more = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, next,
                                       loop.getUpperBound());
    auto ifMore = scf::IfOp::create(b, more, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(ifMore.thenYield());
    copy(next);
  }

  /// The copies of iteration `j`.
  void copiesOf(ArrayRef<Value> rings, Value j) {
    for (auto [load, ring] : llvm::zip(inLoop, rings))
      copyOfIteration(load, stageOf(load, ring, j), j);
  }

  /// The same as a group.
  void copyAll(ArrayRef<Value> rings, Value j) {
    copiesOf(rings, j);
    NVVM::CpAsyncCommitGroupOp::create(b);
  }

  /// Bytes for as many tiles as there are stages.
  Value allocateStages(LoadOp load) {
    MemRefType tile = bufferType(cast<RankedTensorType>(load.getType()));
    return memref::AllocOp::create(
        b, MemRefType::get({schedule.getPipeline().stages * bytesOf(tile)},
                           b.getI8Type(), MemRefLayoutAttrInterface(),
                           tile.getMemorySpace()));
  }

  Value stageOf(LoadOp load, Value ring, Value j) {
    MemRefType tile = bufferType(cast<RankedTensorType>(load.getType()));
    Value offset = arith::ConstantIndexOp::create(b, 0);
    if (schedule.getPipeline().stages == 2) {
      Value count = arith::SubIOp::create(b, j, loop.getLowerBound());
      if (!count.getType().isIndex())
        count = arith::IndexCastOp::create(b, b.getIndexType(), count);
      Value odd =
          arith::AndIOp::create(b, count, arith::ConstantIndexOp::create(b, 1));
      offset = arith::MulIOp::create(
          b, odd, arith::ConstantIndexOp::create(b, bytesOf(tile)));
    }
    return memref::ViewOp::create(b, tile, ring, offset, ValueRange());
  }

  static int64_t bytesOf(MemRefType tile) {
    return tile.getNumElements() * tile.getElementTypeBitWidth() / 8;
  }

  //===--- buffers --------------------------------------------------------===//
  SmallVector<Value> allocateAll(ArrayRef<LoadOp> loads) {
    SmallVector<Value> buffers;
    for (LoadOp load : loads)
      buffers.push_back(allocate(cast<RankedTensorType>(load.getType())));
    return buffers;
  }

  Value allocate(RankedTensorType tile) {
    return memref::AllocOp::create(b, bufferType(tile));
  }

  MemRefType bufferType(RankedTensorType tile) {
    auto space = gpu::AddressSpaceAttr::get(b.getContext(),
                                            gpu::AddressSpace::Workgroup);
    int64_t width = tile.getElementTypeBitWidth() / 8;
    return MemRefType::get(
        {tile.getDimSize(0), tile.getDimSize(1) + shared::rowPadding / width},
        tile.getElementType(), MemRefLayoutAttrInterface(), space);
  }

  bool fitsRegisters(LoadOp load) {
    auto type = cast<RankedTensorType>(load.getType());
    int64_t threads = schedule.getRoles().getComputingThreads();
    return type.getElementTypeBitWidth() == 16 &&
           type.getNumElements() * type.getElementTypeBitWidth() / 32 /
                   threads <=
               maxOperandRegisters;
  }

  //===--- copies ---------------------------------------------------------===//
  void copy(LoadOp load, ValueRange offsets, Value buffer) {
    CopyOp::create(b, load.getSource(), offsets, load.getTable(), load.getEnd(),
                   buffer, !schedule.getPipeline().unaligned, load.getPacked(),
                   schedule.getPipeline().readOnce &&
                       llvm::is_contained(inLoop, load));
  }

  /// The copy that `load` stands for in the iteration whose variable is `j`.
  void copyOfIteration(LoadOp load, Value buffer, Value j) {
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

  void waitForCopies(int64_t pending = 0) {
    NVVM::CpAsyncWaitGroupOp::create(b, pending);
    meet(b, schedule);
  }

  /// Left operands are read once if `keepInRegisters`, all else where it is
  /// used.
  void replaceByView(LoadOp load, Value buffer, bool keepInRegisters) {
    auto view = [&](Attribute place) {
      auto type = cast<RankedTensorType>(load.getType());
      return ViewOp::create(b, type.cloneWithEncoding(place), buffer);
    };
    auto isLeft = [](OpOperand &use) {
      return isa<linalg::ContractOp>(use.getOwner()) &&
             use.getOperandNumber() == 0;
    };
    if (keepInRegisters && llvm::any_of(load->getUses(), isLeft))
      load->replaceUsesWithIf(view(LeftOperandAttr::get(b.getContext())),
                              isLeft);
    int64_t width = cast<MemRefType>(buffer.getType()).getDimSize(1);
    if (!load->use_empty())
      load.replaceAllUsesWith(
          view(PaddedAttr::get(b.getContext(), width)).getResult());
    load.erase();
  }

  void stageLoop(ArrayRef<Value> buffers) {
    ArrayRef<LoadOp> loads = inLoop;
    // Slots are found before views replace the loads.
    SmallVector<Operation *> slots;
    for (size_t i = 0; i < loads.size(); ++i)
      slots.push_back(i == 0 ? &loop.getBody()->front()
                             : lastReader(loads[i - 1], loop)->getNextNode());
    for (size_t i = 0; i < loads.size(); ++i) {
      b.setInsertionPoint(slots[i]);
      waitForCopies();
      if (i + 1 < loads.size()) {
        copyOfIteration(loads[i + 1], buffers[i + 1], loop.getInductionVar());
      } else {
        forNext(
            [&](Value next) { copyOfIteration(loads[0], buffers[0], next); });
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
  SmallVector<LoadOp> before, inLoop;
  scf::ForOp loop;
};

struct TileStageLoads
    : mlir::attn::tile::impl::TileStageLoadsPassBase<TileStageLoads> {
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
    if (failed(LoadStager(func, schedule).run()))
      signalPassFailure();
  }
};

} // namespace
