// What tile-to-nvvm takes, checked before anything is emitted, each operation
// by itself: where tiles lie, their types say, and what an operation of the
// dialect takes of them, its verifier has seen. Here is what the operations of
// other dialects must satisfy, and what depends on the schedule. So the
// emitters need not ask, and a kernel that they cannot lower is named by its
// operation.
#include "Distribution.h"
#include "attn/Dialect/Tile/IR/Marks.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::attn::tile;

namespace {

RankedTensorType tileType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

bool isTile(Value value) { return isa<RankedTensorType>(value.getType()); }

/// Of 16 or 32 bits: what is copied, stored and multiplied.
bool isNumber(Type type) {
  return type.isF32() || type.isF16() || type.isBF16();
}

class Preconditions {
public:
  Preconditions(gpu::GPUFuncOp func, mlir::attn::ScheduleAttr schedule)
      : func(func), schedule(schedule) {}

  LogicalResult run() {
    if (!func.getBody().hasOneBlock())
      return func.emitOpError() << "expects one block";
    if (llvm::any_of(func.getArguments(), isTile))
      return func.emitOpError() << "expects no tiles as arguments";
    return checkBlock(func.getBody().front());
  }

private:
  //===--- registers ------------------------------------------------------===//
  LogicalResult expectRegisters(Operation *op, ValueRange tiles) {
    for (Value tile : tiles)
      if (isTile(tile) && !isInRegisters(tileType(tile)))
        return op->emitOpError()
               << "expects a tile in registers, got " << tile.getType();
    return success();
  }

  /// Whether threads can hold `tile`: all rows that the block owns, in blocks
  /// of 8 columns.
  LogicalResult checkHeld(Operation *op, RankedTensorType type) {
    bool fits = (type.getRank() == 1 || type.getRank() == 2) &&
                type.getElementType().isIntOrFloat() &&
                type.getElementTypeBitWidth() <= 64 &&
                (isOfColumns(type) || isOfColumnGroups(type) ||
                 type.getDimSize(0) == schedule.getTiling().getRows());
    if (type.getRank() == 2)
      fits &= type.getDimSize(1) % 8 == 0 && type.getDimSize(1) >= 8 &&
              type.getDimSize(1) <= 256;
    if (isOfColumnGroups(type))
      fits &= schedule.getRoles().hasProducers() &&
              type.getDimSize(1) % (4 * schedule.getRoles().warps) == 0;
    if (fits)
      return success();
    return op->emitOpError()
           << "expects tiles in registers with "
           << schedule.getTiling().getRows()
           << " rows and a multiple of 8 columns, at most 256, got " << type;
  }

  /// That nothing but what brings tiles there makes one in shared memory.
  LogicalResult checkResults(Operation *op) {
    if (isa<tensor::EmptyOp>(op))
      return success();
    if (!isa<ViewOp, ReadOp, ShareOp, DiagonalsOp, SumDiagonalsOp>(op) &&
        failed(expectRegisters(op, op->getResults())))
      return failure();
    for (Value result : op->getResults())
      if (isTile(result) && !isInShared(tileType(result)) &&
          !isOfDiagonals(tileType(result)) &&
          failed(checkHeld(op, tileType(result))))
        return failure();
    return success();
  }

  //===--- regions --------------------------------------------------------===//
  LogicalResult checkBlock(Block &block) {
    for (Operation &op : block)
      if (failed(checkOp(&op)) || failed(checkResults(&op)))
        return failure();
    return success();
  }

  LogicalResult checkOp(Operation *op) {
    return llvm::TypeSwitch<Operation *, LogicalResult>(op)
        .Case<scf::WhileOp, CopyOp, ViewOp, LoadOp, StoreOp, ReduceAddOp,
              ShareOp, DiagonalsOp, StartOp, HasNonfiniteOp, IsolateNonfiniteOp,
              ClearNonfiniteOp, RingOp, DrainOp, tensor::EmptyOp,
              arith::ConstantOp, linalg::ContractOp, linalg::GenericOp,
              linalg::ReduceOp>([&](auto op) { return check(op); })
        .Case<scf::ForOp, scf::IfOp>([&](auto op) { return checkRegions(op); })
        .Case<scf::YieldOp, scf::ConditionOp>(
            [&](auto op) { return expectRegisters(op, op->getOperands()); })
        .Case<FillOp, FillVectorOp, ReadOp, PeekOp, ReleaseOp, SendOp,
              ReceiveOp, AddToMemoryOp>(
            [&](auto op) { return expectRing(op, op.getRing()); })
        .Case<PutOp, HandOnOp>([&](auto op) { return checkSums(op); })
        .Case<AwaitOp, TakeTurnOp, PassTurnOp>(
            [&](auto op) { return checkRoles(op); })
        .Case([&](CombineWarpsOp op) -> LogicalResult {
          if (schedule.getRoles().keyWarps > 1 && op.getOffset())
            return success();
          return op.emitOpError() << "expects a schedule with key warps, and "
                                     "its place: run tile-place-shared first";
        })
        .Case<ScatterAddOp, SumDiagonalsOp, AnyAboveOp, AnyBeyondOp,
              CombineThreadsOp, AddNonfiniteOp, DrawTaskOp, AwaitDrainOp,
              LaunchDependentsOp, AwaitPrerequisitesOp>(
            [](auto) { return success(); })
        .Default([&](Operation *op) { return checkOther(op); });
  }

  LogicalResult checkRegions(Operation *op) {
    if (failed(expectRegisters(op, op->getOperands())))
      return failure();
    for (Region &region : op->getRegions())
      for (Block &block : region)
        if (failed(checkBlock(block)))
          return failure();
    return success();
  }

  /// A loop over tasks carries numbers; one over attempts is left with tiles,
  /// and starts again with nothing.
  LogicalResult check(scf::WhileOp loop) {
    bool attempts = llvm::any_of(loop->getResults(), isTile);
    bool repeats = llvm::any_of(loop.getAfterArguments(), [](Value argument) {
      return !argument.use_empty();
    });
    if (llvm::any_of(loop.getInits(), isTile) || (attempts && repeats))
      return loop.emitOpError() << "expects attempts that begin without tiles";
    return checkRegions(loop);
  }

  /// What is neither about tiles nor a loop stays as it is.
  static LogicalResult checkOther(Operation *op) {
    auto aboutTiles = [](Operation *inner) {
      return isa_and_nonnull<TileDialect>(inner->getDialect()) ||
             llvm::any_of(inner->getOperands(), isTile) ||
             llvm::any_of(inner->getResults(), isTile);
    };
    WalkResult found = op->walk([&](Operation *inner) {
      return aboutTiles(inner) ? WalkResult::interrupt()
                               : WalkResult::advance();
    });
    if (found.wasInterrupted())
      return op->emitOpError() << "cannot be dealt to threads";
    return success();
  }

  //===--- warps and rings ------------------------------------------------===//
  LogicalResult checkRoles(Operation *op) {
    if (schedule.getRoles().hasProducers())
      return success();
    return op->emitOpError() << "expects a schedule with producers";
  }

  static LogicalResult expectRing(Operation *op, Value ring) {
    if (ring.getDefiningOp<RingOp>())
      return success();
    return op->emitOpError() << "expects a ring that tile.ring makes";
  }

  LogicalResult check(RingOp op) {
    if (op.getOffset() && (op.getReaders() || isForSharing(op)))
      return success();
    return op.emitOpError() << "expects a ring with a place and readers: run "
                               "tile-give-roles and tile-place-shared first";
  }

  template <typename Op> LogicalResult checkSums(Op op) {
    if (failed(checkRoles(op)))
      return failure();
    return expectRing(op, op.getRing());
  }

  /// stmatrix writes blocks of 16 columns.
  template <typename Op> LogicalResult checkMatrixStore(Op op) {
    if (failed(checkRoles(op)))
      return failure();
    RankedTensorType type = tileType(op.getTile());
    if (type.getDimSize(1) % 16 != 0)
      return op.emitOpError()
             << "expects a multiple of 16 columns, got " << type;
    return expectRing(op, op.getRing());
  }

  LogicalResult check(ShareOp op) { return checkMatrixStore(op); }
  LogicalResult check(DrainOp op) { return checkMatrixStore(op); }

  //===--- memory ---------------------------------------------------------===//
  /// Rows of `channels` numbers of stride 1.
  static LogicalResult checkGlobal(Operation *op, MemRefType memory) {
    if (!isNumber(memory.getElementType()) || memory.getRank() < 2 ||
        memory.isDynamicDim(memory.getRank() - 1) ||
        !memory.areTrailingDimsContiguous(1))
      return op->emitOpError() << "expects memory of f32, f16 or bf16 with a "
                                  "static channel dimension of stride 1, got "
                               << memory;
    return success();
  }

  static LogicalResult checkShared(Operation *op, MemRefType memory) {
    auto space =
        dyn_cast_or_null<gpu::AddressSpaceAttr>(memory.getMemorySpace());
    if (!space || space.getValue() != gpu::AddressSpace::Workgroup ||
        !memory.getLayout().isIdentity() || memory.getRank() != 2 ||
        !isNumber(memory.getElementType()))
      return op->emitOpError() << "expects rows of f32, f16 or bf16 in "
                                  "workgroup memory, got "
                               << memory;
    return success();
  }

  LogicalResult check(CopyOp op) {
    auto dest = cast<MemRefType>(op.getDest().getType());
    if (failed(checkGlobal(op, cast<MemRefType>(op.getSource().getType()))) ||
        failed(checkShared(op, dest)))
      return failure();
    // 16 bytes are the padding of a row.
    int64_t piece = 128 / dest.getElementTypeBitWidth();
    if (dest.getDimSize(1) % piece != 0 || dest.getDimSize(1) < 2 * piece ||
        dest.getDimSize(1) > 1024 || dest.getDimSize(0) < 1 ||
        dest.getDimSize(0) > 1024)
      return op.emitOpError()
             << "expects at most 1024 rows of 32 to 1024 elements, padded by "
                "16 bytes, got "
             << dest;
    return success();
  }

  LogicalResult check(ViewOp op) {
    return checkShared(op, cast<MemRefType>(op.getSource().getType()));
  }

  /// What moves between registers and memory, as threads hold it or in rows.
  LogicalResult checkTransfer(Operation *op, bool held, Value tile,
                              Value memory) {
    if (held)
      return expectGroups(op);
    return tileType(tile).getRank() == 1
               ? success()
               : checkGlobal(op, cast<MemRefType>(memory.getType()));
  }

  LogicalResult check(LoadOp op) {
    if (op.getTable())
      return op.emitOpError() << "expects a tile through a table to be copied: "
                                 "run tile-stage-loads first";
    return checkTransfer(op, op.getHeld(), op.getResult(), op.getSource());
  }

  LogicalResult check(StoreOp op) {
    return checkTransfer(op, op.getHeld(), op.getTile(), op.getDest());
  }

  static LogicalResult check(ReduceAddOp op) {
    return op.emitOpError() << "expects warps with roles, one of which adds to "
                               "memory: run tile-store-sums first";
  }

  /// Of memory that has tiles as threads hold them.
  LogicalResult expectGroups(Operation *op) {
    if (schedule.getTiling().getRows() == 16 * schedule.getRoles().warps &&
        schedule.getRoles().warps % 4 == 0)
      return success();
    return op->emitOpError()
           << "expects groups of four warps with 64 rows each";
  }

  //===--- values that are not finite -------------------------------------===//
  LogicalResult check(HasNonfiniteOp op) {
    RankedTensorType type = tileType(op.getTile());
    if (isInRegisters(type) && !type.getElementType().isF32())
      return op.emitOpError()
             << "expects elements of f32 in registers, got " << type;
    if (isPadded(type) &&
        type.getDimSize(1) * type.getElementTypeBitWidth() % 128 != 0)
      return op.emitOpError()
             << "expects rows of a multiple of 16 bytes, got " << type;
    return success();
  }

  LogicalResult check(IsolateNonfiniteOp op) {
    if (failed(checkRoles(op)))
      return failure();
    RankedTensorType type = tileType(op.getTile());
    if (!isInSlot(type))
      return op.emitOpError() << "expects a tile in a ring, got " << type;
    if (type.getDimSize(1) % 8 != 0)
      return op.emitOpError()
             << "expects a multiple of 8 columns, got " << type;
    return success();
  }

  LogicalResult check(ClearNonfiniteOp op) {
    RankedTensorType type = tileType(op.getTile());
    if (type.getDimSize(1) * type.getElementTypeBitWidth() % 32 != 0)
      return op.emitOpError()
             << "expects rows of a multiple of 4 bytes, got " << type;
    return success();
  }

  //===--- arithmetic -----------------------------------------------------===//
  LogicalResult check(arith::ConstantOp op) {
    if (isTile(op.getResult()) && !isa<SplatElementsAttr>(op.getValue()))
      return op.emitOpError() << "expects one value for all elements of a tile";
    return success();
  }

  /// It has no elements that could be read.
  LogicalResult check(tensor::EmptyOp op) {
    for (OpOperand &use : op->getUses()) {
      auto user = dyn_cast<linalg::GenericOp>(use.getOwner());
      if (!user || !user.isDpsInit(&use))
        return use.getOwner()->emitOpError()
               << "expects tiles with elements, got those of tensor.empty";
    }
    return success();
  }

  /// Those of tiles that a matrix in registers can be.
  LogicalResult check(DiagonalsOp op) {
    int64_t columns = op.getResult().getType().getDimSize(0) + 1 -
                      schedule.getTiling().getRows();
    if (columns >= 8 && columns <= 256 && columns % 8 == 0)
      return success();
    return op.emitOpError() << "expects the diagonals of tiles of "
                            << schedule.getTiling().getRows()
                            << " rows and a multiple of 8 columns, at most "
                               "256, got those of "
                            << columns << " columns";
  }

  LogicalResult check(linalg::ContractOp op);
  LogicalResult check(StartOp op);
  LogicalResult checkSizes(Operation *op, RankedTensorType lhs,
                           RankedTensorType init, bool lhsTransposed);
  LogicalResult check(linalg::GenericOp op);
  LogicalResult checkInput(linalg::GenericOp op, OpOperand &input);
  LogicalResult check(linalg::ReduceOp op);

  gpu::GPUFuncOp func;
  mlir::attn::ScheduleAttr schedule;
};

} // namespace

LogicalResult Preconditions::check(linalg::ContractOp op) {
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  AffineExpr i, j, k;
  bindDims(op.getContext(), i, j, k);
  auto map = [&](AffineExpr x, AffineExpr y) {
    return AffineMap::get(3, 0, {x, y}, op.getContext());
  };
  bool transposed = maps[1] == map(j, k), lhsTransposed = maps[0] == map(k, i);
  if ((!lhsTransposed && maps[0] != map(i, k)) || maps[2] != map(i, j) ||
      (!transposed && maps[1] != map(k, j)) || (lhsTransposed && transposed) ||
      op->getNumResults() != 1)
    return op.emitOpError() << "expects (i, k) x (k, j), (i, k) x (j, k) or "
                               "(k, i) x (k, j) -> (i, j)";
  if (op->hasAttr(zeroSafeMark))
    return op.emitOpError()
           << "expects a plain product: run tile-split-nonfinite first";
  RankedTensorType lhs = tileType(op.getDpsInputs()[0]),
                   rhs = tileType(op.getDpsInputs()[1]),
                   init = tileType(op.getDpsInits()[0]);
  if (!isInShared(rhs))
    return op.emitOpError() << "expects its right operand in shared memory";
  Type element = rhs.getElementType();
  if (lhs.getElementType() != element)
    return op.emitOpError() << "expects operands of one element type, got "
                            << lhs.getElementType() << " and " << element;
  bool inRing = isInSlot(rhs);
  if (lhsTransposed && !(inRing && isInSlot(lhs)))
    return op.emitOpError() << "expects a left operand whose columns are rows "
                               "of the result in a ring";
  if (failed(checkSizes(op, lhs, init, lhsTransposed)))
    return failure();
  if (!isNumber(element) || (inRing && element.isF32()) ||
      !init.getElementType().isF32())
    return op.emitOpError() << "expects operands of f16, bf16 or, outside of "
                               "rings, f32, and a result of f32, got "
                            << lhs << ", " << rhs << " and " << init;
  if (!isInRegisters(lhs) &&
      !(inRing ? isInSlot(lhs) : isPadded(lhs) || isLeftOperand(lhs)))
    return op.emitOpError()
           << "expects its left operand in registers, or where the right one "
              "is, got "
           << lhs;
  return inRing ? checkRoles(op) : success();
}

LogicalResult Preconditions::check(StartOp op) {
  if (failed(checkRoles(op)))
    return failure();
  return checkSizes(op, op.getLhs().getType(), op.getInit().getType(),
                    op.getLhsTransposed());
}

/// Of a product: what the instructions take.
LogicalResult Preconditions::checkSizes(Operation *op, RankedTensorType lhs,
                                        RankedTensorType init,
                                        bool lhsTransposed) {
  int64_t depth = lhs.getDimSize(lhsTransposed ? 0 : 1);
  if (depth % 16 || init.getDimSize(1) % 16)
    return op->emitOpError() << "expects multiples of 16 columns and products";
  // Columns of the left tile are rows of a matrix unit that is one of four
  // warps, on what the copy engine brought.
  int64_t rows = schedule.getTiling().getRows();
  if ((!lhsTransposed && lhs.getDimSize(0) != rows) || depth < 16 ||
      depth > 256)
    return op->emitOpError() << "expects " << rows << " rows and 16 to 256 "
                             << "products, got " << lhs << " and " << init;
  return success();
}

LogicalResult Preconditions::check(linalg::GenericOp op) {
  if (op.getNumResults() != 1 || !isTile(op.getResult(0)) ||
      op.getNumReductionLoops() != 0)
    return op.emitOpError() << "expects one result and no reduction";
  WalkResult nested = op.getBody()->walk([&](linalg::IndexOp position) {
    return position->getBlock() == op.getBody() ? WalkResult::advance()
                                                : WalkResult::interrupt();
  });
  if (nested.wasInterrupted())
    return op.emitOpError() << "expects positions outside nested regions";
  OpOperand &init = *op.getDpsInitOperand(0);
  if (!op.getMatchingIndexingMap(&init).isIdentity() ||
      op.payloadUsesValueFromOperand(&init))
    return op.emitOpError()
           << "expects a result that is written in order and not read";
  if (isOfColumnGroups(tileType(op.getResult(0))))
    return op.emitOpError() << "expects a matrix whose rows are dealt to "
                               "groups, got "
                            << op.getResult(0).getType();
  for (OpOperand *input : op.getDpsInputOperands())
    if (failed(checkInput(op, *input)))
      return failure();
  for (Operation &inner : op.getBody()->without_terminator())
    if (inner.getNumResults() == 0)
      return inner.emitOpError() << "expects a result within elementwise work";
  return success();
}

LogicalResult Preconditions::checkInput(linalg::GenericOp op,
                                        OpOperand &input) {
  Value value = input.get();
  if (!isTile(value)) {
    if (value.getType().isIntOrIndexOrFloat())
      return success();
    return op.emitOpError()
           << "expects tiles and numbers, got " << value.getType();
  }
  RankedTensorType type = tileType(value), result = tileType(op.getResult(0));
  if (isLeftOperand(type) || isOfColumnGroups(type))
    return op.emitOpError() << "expects tiles in shared memory, or those that "
                               "are dealt like the result, got "
                            << type;
  bool isDealt = isInRegisters(type);
  if (result.getRank() == 1 && isDealt &&
      isOfColumns(type) != isOfColumns(result))
    return op.emitOpError() << "expects vectors that are dealt alike, got "
                            << type << " and " << result;
  AffineMap map = op.getMatchingIndexingMap(&input);
  AffineExpr row = getAffineDimExpr(0, op.getContext()),
             column = getAffineDimExpr(1, op.getContext());
  bool inOrder = map.isIdentity();
  if (isOfDiagonals(type))
    inOrder =
        result.getRank() == 2 &&
        type.getDimSize(0) == result.getDimSize(0) + result.getDimSize(1) - 1 &&
        map == diagonalsOf(op.getContext(), result.getDimSize(1));
  else if (result.getRank() == 2 && map.getNumResults() == 1)
    inOrder = (map.getResult(0) == row && !isOfColumns(type)) ||
              (map.getResult(0) == column && (!isDealt || isOfColumns(type)));
  if (!inOrder)
    return op.emitOpError() << "expects tiles that are read in order, got "
                            << AffineMapAttr::get(map);
  return success();
}

LogicalResult Preconditions::check(linalg::ReduceOp op) {
  if (op.getNumResults() != 1 || op->getNumOperands() != 2 ||
      !isTile(op.getInputs()[0]))
    return op.emitOpError() << "expects one tile to reduce";
  RankedTensorType type = tileType(op.getInputs()[0]),
                   init = tileType(op.getInits()[0]);
  if (type.getRank() != 2 || op.getDimensions() != ArrayRef<int64_t>{1} ||
      type.getElementTypeBitWidth() != 32)
    return op.emitOpError()
           << "expects the columns of a matrix of 32-bit elements, got "
           << type;
  for (Operation &inner : op.getCombiner().front().without_terminator())
    if (inner.getNumResults() == 0)
      return inner.emitOpError() << "expects a result within a reduction";
  if (!isOfRows(type) || !isOfRows(init))
    return op.emitOpError() << "expects a matrix and a vector of rows, got "
                            << type << " and " << init;
  return success();
}

LogicalResult mlir::attn::tile::checkKernel(gpu::GPUFuncOp func,
                                            mlir::attn::ScheduleAttr schedule) {
  return Preconditions(func, schedule).run();
}
