// tile-specialize-warps: which warps copy and which compute, and the rings of
// shared memory between them. The sibling of tile-stage-loads, in which all
// warps do both.
//
// The kernel from its first load on becomes the computing warps' branch. The
// producer's branch holds the same loop over key tiles, but of it only what
// says which tiles are loaded: both count the tiles, and meet at the ring's
// barriers.
#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"
#include "attn/Dialect/Tile/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::tile {
#define GEN_PASS_DEF_TILESPECIALIZEWARPSPASS
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"
} // namespace mlir::tile

using namespace mlir;
using namespace mlir::tile;

namespace {

/// The part of shared memory before the tiles, for barriers; and what swizzled
/// tiles are aligned to.
constexpr int64_t barrierBytes = 1024;

/// Registers of one thread that copies or computes, so that all threads of a
/// multiprocessor together hold its 65536: they start with equal shares.
struct RegisterShares {
  int32_t producer, consumer;
};

std::optional<RegisterShares> registerShares(int64_t warps) {
  switch (warps) {
  case 8:
    return RegisterShares{24, 240};
  case 12:
    return RegisterShares{32, 160};
  default: // With one group everybody has enough from the start.
    return std::nullopt;
  }
}

class WarpSpecializer {
public:
  WarpSpecializer(gpu::GPUFuncOp func, attn::ScheduleAttr schedule)
      : func(func), schedule(schedule), b(func.getLoc(), func.getContext()) {}

  LogicalResult run() {
    if (failed(findLoads()))
      return failure();
    b.setInsertionPointToStart(&func.getBody().front());
    Value thread = arith::IndexCastOp::create(
        b, b.getI32Type(), gpu::ThreadIdOp::create(b, gpu::Dimension::x));
    createRings(before, /*stages=*/1);
    createRings(inLoop, schedule.getStages());
    NVVM::FenceMbarrierInitOp::create(b);
    gpu::BarrierOp::create(b);
    func->setAttr("tile.shared_bytes",
                  b.getI64IntegerAttr(bytes + barrierBytes));
    func->setAttr("tile.tensor_maps", b.getDenseI64ArrayAttr(mapShapes));
    func->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                  b.getI32IntegerAttr(1));
    splitRoles(thread);
    return success();
  }

private:
  LogicalResult findLoads() {
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
    if (!matchPattern(loop.getStep(), m_One()))
      return loop.emitOpError() << "expects a step of 1";
    llvm::append_range(inLoop, loop.getOps<LoadOp>());
    for (LoadOp load : llvm::concat<LoadOp>(before, inLoop)) {
      auto argument = dyn_cast<BlockArgument>(load.getSource());
      if (!argument || argument.getOwner() != &func.getBody().front())
        return load.emitOpError() << "expects memory that is an argument";
    }
    return success();
  }

  //===--- rings and tensor maps ------------------------------------------===//
  void createRings(ArrayRef<LoadOp> loads, int64_t stages) {
    for (LoadOp load : loads) {
      auto tile = cast<RankedTensorType>(load.getType());
      auto type = RingType::get(b.getContext(), stages, tile);
      rings[load] =
          RingOp::create(b, type, bytes, barriers, schedule.getWarps());
      barriers += 2 * 8 * stages;
      bytes += stages * tile.getDimSize(0) *
               llvm::alignTo(tile.getDimSize(1), 64) *
               tile.getElementTypeBitWidth() / 8;
      maps[load] = mapOf(load);
    }
  }

  /// The tensor map of a load's memory: a parameter that the launch fills.
  Value mapOf(LoadOp load) {
    auto argument = cast<BlockArgument>(load.getSource());
    int64_t rows = cast<RankedTensorType>(load.getType()).getDimSize(0);
    Value &map = mapOfBox[{argument.getArgNumber(), rows}];
    if (map)
      return map;
    mapShapes.append({static_cast<int64_t>(argument.getArgNumber()), rows});
    unsigned index = func.getNumArguments();
    (void)func.insertArgument(index, LLVM::LLVMPointerType::get(b.getContext()),
                              DictionaryAttr(), func.getLoc());
    return map = func.getArgument(index);
  }

  //===--- roles ----------------------------------------------------------===//
  void splitRoles(Value thread) {
    Operation *first = before.empty() ? loop.getOperation() : before.front();
    Block *body = first->getBlock();
    b.setInsertionPoint(first);
    Value computing =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ult, thread,
                              constant(32 * schedule.getWarps()));
    auto roles = scf::IfOp::create(b, computing, /*withElseRegion=*/true);
    auto terminator = body->getTerminator()->getIterator();
    Block *consumer = roles.thenBlock();
    consumer->getOperations().splice(consumer->begin(), body->getOperations(),
                                     first->getIterator(), terminator);
    moved = &roles.getThenRegion();
    std::optional<RegisterShares> shares = registerShares(schedule.getWarps());

    b.setInsertionPointToStart(roles.elseBlock());
    if (shares)
      setRegisters(shares->producer, NVVM::SetMaxRegisterAction::decrease);
    Value elected = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, thread,
                                          constant(32 * schedule.getWarps()));
    auto one = scf::IfOp::create(b, elected, /*withElseRegion=*/false);
    b.setInsertionPointToStart(one.thenBlock());
    produce();

    b.setInsertionPointToStart(consumer);
    if (shares)
      setRegisters(shares->consumer, NVVM::SetMaxRegisterAction::increase);
    consume();
  }

  void setRegisters(int32_t count, NVVM::SetMaxRegisterAction action) {
    NVVM::SetMaxRegisterOp::create(b, count, action);
  }

  void produce() {
    IRMapping mapping;
    for (LoadOp load : before)
      fill(load, constant(0), mapping);
    Value low = materialize(loop.getLowerBound(), mapping);
    Value high = materialize(loop.getUpperBound(), mapping);
    Value step = materialize(loop.getStep(), mapping);
    auto copies = scf::ForOp::create(b, low, high, step);
    b.setInsertionPointToStart(copies.getBody());
    mapping.map(loop.getInductionVar(), copies.getInductionVar());
    Value position = positionOf(copies.getInductionVar(), low);
    for (LoadOp load : inLoop)
      fill(load, position, mapping);
  }

  void fill(LoadOp load, Value position, IRMapping &mapping) {
    SmallVector<Value> offsets;
    for (Value offset : load.getOffsets())
      offsets.push_back(materialize(offset, mapping));
    FillOp::create(b, rings[load], position, maps[load], offsets);
  }

  /// `value` in the producer's branch: what the computing branch makes for
  /// itself is made again.
  Value materialize(Value value, IRMapping &mapping) {
    if (Value known = mapping.lookupOrNull(value))
      return known;
    Operation *definition = value.getDefiningOp();
    if (!definition || !moved->isAncestor(definition->getParentRegion()))
      return value;
    definition->walk([&](Operation *op) {
      for (Value operand : op->getOperands())
        if (!definition->isAncestor(operand.getParentBlock()->getParentOp()))
          (void)mapping.map(operand, materialize(operand, mapping));
    });
    b.clone(*definition, mapping);
    return mapping.lookup(value);
  }

  void consume() {
    for (LoadOp load : before) {
      b.setInsertionPoint(load);
      replaceByRead(load, constant(0));
    }
    b.setInsertionPointToStart(loop.getBody());
    Value position = positionOf(loop.getInductionVar(), loop.getLowerBound());
    for (LoadOp load : inLoop) {
      Operation *last = lastReader(load);
      b.setInsertionPoint(load);
      Value ring = rings[load];
      replaceByRead(load, position);
      b.setInsertionPointAfter(last);
      ReleaseOp::create(b, ring, position);
    }
  }

  void replaceByRead(LoadOp load, Value position) {
    auto read = ReadOp::create(b, load.getType(), rings[load], position);
    load.replaceAllUsesWith(read.getResult());
    load.erase();
  }

  /// The last operation of the loop's body that reads the tile, itself or in a
  /// region.
  Operation *lastReader(LoadOp load) {
    Operation *last = load;
    for (Operation *user : load->getUsers()) {
      Operation *ancestor = loop.getBody()->findAncestorOpInBlock(*user);
      if (last->isBeforeInBlock(ancestor))
        last = ancestor;
    }
    return last;
  }

  /// How many tiles the loop visited before iteration `j`, i32.
  Value positionOf(Value j, Value low) {
    return arith::IndexCastOp::create(b, b.getI32Type(),
                                      arith::SubIOp::create(b, j, low));
  }

  Value constant(int64_t value) {
    return arith::ConstantIntOp::create(b, value, 32);
  }

  gpu::GPUFuncOp func;
  attn::ScheduleAttr schedule;
  ImplicitLocOpBuilder b;
  scf::ForOp loop;
  SmallVector<LoadOp> before, inLoop;
  llvm::DenseMap<Operation *, Value> rings, maps;
  llvm::DenseMap<std::pair<unsigned, int64_t>, Value> mapOfBox;
  SmallVector<int64_t> mapShapes;
  Region *moved = nullptr;
  int64_t bytes = barrierBytes, barriers = 0;
};

struct TileSpecializeWarps
    : tile::impl::TileSpecializeWarpsPassBase<TileSpecializeWarps> {
  using TileSpecializeWarpsPassBase::TileSpecializeWarpsPassBase;

  void runOnOperation() override {
    gpu::GPUFuncOp func = getOperation();
    if (!func.isKernel())
      return;
    auto schedule = func->getAttrOfType<attn::ScheduleAttr>("attn.schedule");
    if (!schedule || schedule.getProducers() == 0) {
      func.emitOpError() << "expects a schedule with producers";
      return signalPassFailure();
    }
    if (failed(WarpSpecializer(func, schedule).run()))
      signalPassFailure();
  }
};

} // namespace
