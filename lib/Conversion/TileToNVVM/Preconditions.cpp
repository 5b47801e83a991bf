// What tile-to-nvvm takes, checked before anything is emitted: where each tile
// lies, and whether every operation can work on it there. So the emitters need
// not ask, and a kernel that they cannot lower is named by its operation.
#include "Distribution.h"
#include "attn/Dialect/Tile/IR/Marks.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::attn::tile;

namespace {

enum class Place { Nowhere, Registers, Shared, Ring };

const char *nameOf(Place place) {
  switch (place) {
  case Place::Nowhere:
    return "nowhere";
  case Place::Registers:
    return "in registers";
  case Place::Shared:
    return "in shared memory";
  case Place::Ring:
    return "in a ring";
  }
  return "";
}

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
    return checkBlock(func.getBody().front());
  }

private:
  //===--- where tiles lie ------------------------------------------------===//
  LogicalResult expect(Operation *op, Value tile, ArrayRef<Place> allowed) {
    Place place = places.lookup(tile);
    if (llvm::is_contained(allowed, place))
      return success();
    InFlightDiagnostic error = op->emitOpError()
                               << "expects " << tile.getType() << " ";
    llvm::interleave(
        allowed, error, [&](Place wanted) { error << nameOf(wanted); }, " or ");
    return error << ", got it " << nameOf(place);
  }

  LogicalResult expectRegisters(Operation *op, ValueRange tiles) {
    for (Value tile : tiles)
      if (isTile(tile) && failed(expect(op, tile, Place::Registers)))
        return failure();
    return success();
  }

  /// Whether `tile` is dealt like rows.
  static LogicalResult expectRows(Operation *op, Value tile) {
    if (!isOfColumns(tileType(tile)))
      return success();
    return op->emitOpError()
           << "expects a vector of rows, got " << tile.getType();
  }

  /// Whether the rows of `tile` are dealt to groups of warps.
  static LogicalResult expectRowGroups(Operation *op, Value tile) {
    if (!isOfColumnGroups(tileType(tile)))
      return success();
    return op->emitOpError() << "expects a matrix whose rows are dealt to "
                                "groups, got "
                             << tile.getType();
  }

  /// Records that threads hold `tile`: all rows of the query tile, in blocks of
  /// 8 columns.
  LogicalResult holdInRegisters(Operation *op, Value tile) {
    RankedTensorType type = tileType(tile);
    bool fits = (type.getRank() == 1 || type.getRank() == 2) &&
                type.getElementType().isIntOrFloat() &&
                type.getElementTypeBitWidth() <= 64 &&
                (isOfColumns(type) || isOfColumnGroups(type) ||
                 type.getDimSize(0) == schedule.getTiling().getRows());
    if (isOfColumns(type))
      fits &= type.getRank() == 1 && type.getDimSize(0) % 8 == 0 &&
              type.getDimSize(0) >= 8 && type.getDimSize(0) <= 256;
    if (type.getRank() == 2)
      fits &= type.getDimSize(1) % 8 == 0 && type.getDimSize(1) >= 8 &&
              type.getDimSize(1) <= 256;
    if (isOfColumnGroups(type))
      fits &= schedule.getRoles().hasProducers() && type.getRank() == 2 &&
              type.getDimSize(0) == 64 &&
              type.getDimSize(1) % (4 * schedule.getRoles().warps) == 0;
    if (!fits)
      return op->emitOpError()
             << "expects tiles in registers with "
             << schedule.getTiling().getRows()
             << " rows and a multiple of 8 columns, at most 256, got " << type;
    places[tile] = Place::Registers;
    return success();
  }

  LogicalResult holdInRegisters(Operation *op, ValueRange values) {
    for (Value value : values)
      if (isTile(value) && failed(holdInRegisters(op, value)))
        return failure();
    return success();
  }

  LogicalResult expectRing(Operation *op, Value ring) {
    if (ring.getDefiningOp<RingOp>())
      return success();
    return op->emitOpError() << "expects a ring that tile.ring makes";
  }

  //===--- regions --------------------------------------------------------===//
  LogicalResult checkBlock(Block &block) {
    for (Operation &op : block)
      if (failed(checkOp(&op)))
        return failure();
    return success();
  }

  LogicalResult checkOp(Operation *op) {
    return llvm::TypeSwitch<Operation *, LogicalResult>(op)
        .Case<scf::ForOp, scf::IfOp, scf::WhileOp, CopyOp, ViewOp, LoadOp,
              StoreOp, ScatterAddOp, ReduceAddOp, ShareOp, PutOp,
              HasNonfiniteOp, IsolateNonfiniteOp, AnyAboveOp, AnyBeyondOp,
              CombineThreadsOp, AddNonfiniteOp, ClearNonfiniteOp, RingOp,
              ReadOp, DrainOp, AwaitOp, arith::ConstantOp, linalg::ContractOp,
              linalg::GenericOp, linalg::ReduceOp>(
            [&](auto op) { return check(op); })
        .Case<FillOp, FillVectorOp, PeekOp, ReleaseOp, SendOp, ReceiveOp,
              AddToMemoryOp>(
            [&](auto op) { return expectRing(op, op.getRing()); })
        .Case<TakeTurnOp, PassTurnOp>([&](auto op) { return checkRoles(op); })
        .Case<tensor::EmptyOp, DrawTaskOp, AwaitDrainOp>(
            [](auto) { return success(); })
        .Default([&](Operation *op) { return checkOther(op); });
  }

  LogicalResult check(scf::ForOp loop) {
    if (failed(expectRegisters(loop, loop.getInitArgs())) ||
        failed(holdInRegisters(loop, loop.getRegionIterArgs())) ||
        failed(checkBlock(*loop.getBody())))
      return failure();
    return holdInRegisters(loop, loop.getResults());
  }

  LogicalResult check(scf::IfOp branch) {
    for (Region *region : branch.getRegions())
      for (Block &block : *region)
        if (failed(checkBlock(block)))
          return failure();
    return holdInRegisters(branch, branch.getResults());
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
    if (failed(checkBlock(*loop.getBeforeBody())) ||
        failed(checkBlock(*loop.getAfterBody())))
      return failure();
    return holdInRegisters(loop, loop.getResults());
  }

  /// What is neither about tiles nor a loop stays as it is.
  LogicalResult checkOther(Operation *op) {
    if (isa<scf::YieldOp, scf::ConditionOp>(op))
      return expectRegisters(op, op->getOperands());
    auto aboutTiles = [](Operation *inner) {
      return isa<TileDialect>(inner->getDialect()) ||
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

  LogicalResult checkRoles(Operation *op) {
    if (schedule.getRoles().hasProducers())
      return success();
    return op->emitOpError() << "expects a schedule with producers";
  }

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
    auto source = cast<MemRefType>(op.getSource().getType());
    if (failed(checkShared(op, source)))
      return failure();
    RankedTensorType type = tileType(op.getResult());
    if (op.getRegisters() &&
        (source.getElementTypeBitWidth() != 16 || type.getDimSize(1) % 16 ||
         type.getDimSize(0) != schedule.getTiling().getRows()))
      return op.emitOpError()
             << "expects " << schedule.getTiling().getRows()
             << " rows of 16-bit elements and a multiple of 16 columns to read "
                "into registers, got "
             << type;
    places[op.getResult()] = Place::Shared;
    return success();
  }

  LogicalResult check(LoadOp op) {
    if (op.getHeld() && failed(expectGroups(op)))
      return failure();
    if (!op.getHeld() && tileType(op.getResult()).getRank() == 2 &&
        failed(checkGlobal(op, cast<MemRefType>(op.getSource().getType()))))
      return failure();
    return holdInRegisters(op, op.getResult());
  }

  LogicalResult check(StoreOp op) {
    if (failed(expect(op, op.getTile(), Place::Registers)) ||
        failed(expectRows(op, op.getTile())) ||
        failed(expectRowGroups(op, op.getTile())))
      return failure();
    if (op.getHeld())
      return expectGroups(op);
    auto memory = cast<MemRefType>(op.getDest().getType());
    return tileType(op.getTile()).getRank() == 1 ? success()
                                                 : checkGlobal(op, memory);
  }

  static LogicalResult check(ReduceAddOp op) {
    return op.emitOpError() << "expects warps with roles, one of which adds to "
                               "memory: run tile-store-sums first";
  }

  LogicalResult check(PutOp op) {
    if (failed(expect(op, op.getTile(), Place::Registers)) ||
        failed(checkRoles(op)))
      return failure();
    return expectRing(op, op.getRing());
  }

  /// Of memory that has tiles as threads hold them.
  LogicalResult expectGroups(Operation *op) {
    if (schedule.getTiling().getRows() == 16 * schedule.getRoles().warps &&
        schedule.getRoles().warps % 4 == 0)
      return success();
    return op->emitOpError()
           << "expects groups of four warps with 64 rows each";
  }

  LogicalResult check(ShareOp op) {
    RankedTensorType type = tileType(op.getTile());
    if (failed(expect(op, op.getTile(), Place::Registers)) ||
        failed(expectRowGroups(op, op.getTile())) || failed(checkRoles(op)))
      return failure();
    if (type.getDimSize(1) % 16 != 0)
      return op.emitOpError()
             << "expects a multiple of 16 columns, got " << type;
    places[op.getResult()] = Place::Ring;
    return expectRing(op, op.getRing());
  }

  LogicalResult check(ScatterAddOp op) {
    if (failed(expectRegisters(op, {op.getTile(), op.getPlaces()})))
      return failure();
    if (failed(expectRows(op, op.getTile())))
      return failure();
    return expectRows(op, op.getPlaces());
  }

  LogicalResult check(RingOp op) {
    if (op.getOffset() && (op.getReaders() || isForSharing(op)))
      return success();
    return op.emitOpError() << "expects a ring with a place and readers: run "
                               "tile-give-roles and tile-place-shared first";
  }

  LogicalResult check(ReadOp op) {
    places[op.getResult()] = Place::Ring;
    return expectRing(op, op.getRing());
  }

  LogicalResult check(DrainOp op) {
    if (tileType(op.getTile()).getDimSize(1) % 16 != 0)
      return op.emitOpError() << "expects a multiple of 16 columns, got "
                              << op.getTile().getType();
    if (failed(expectRowGroups(op, op.getTile())))
      return failure();
    if (failed(expect(op, op.getTile(), Place::Registers)) ||
        failed(checkRoles(op)))
      return failure();
    return expectRing(op, op.getRing());
  }

  //===--- values that are not finite -------------------------------------===//
  LogicalResult check(HasNonfiniteOp op) {
    if (failed(expect(op, op.getTile(),
                      {Place::Registers, Place::Shared, Place::Ring})))
      return failure();
    RankedTensorType type = tileType(op.getTile());
    Place place = places.lookup(op.getTile());
    if (place == Place::Registers && !type.getElementType().isF32())
      return op.emitOpError()
             << "expects elements of f32 in registers, got " << type;
    if (place == Place::Shared &&
        type.getDimSize(1) * type.getElementTypeBitWidth() % 128 != 0)
      return op.emitOpError()
             << "expects rows of a multiple of 16 bytes, got " << type;
    return success();
  }

  LogicalResult check(IsolateNonfiniteOp op) {
    if (failed(expect(op, op.getTile(), Place::Ring)) || failed(checkRoles(op)))
      return failure();
    if (tileType(op.getTile()).getDimSize(1) % 8 != 0)
      return op.emitOpError() << "expects a multiple of 8 columns, got "
                              << op.getTile().getType();
    return holdInRegisters(op, op.getRows());
  }

  LogicalResult check(ClearNonfiniteOp op) {
    if (failed(expect(op, op.getTile(), {Place::Shared, Place::Ring})))
      return failure();
    RankedTensorType type = tileType(op.getTile());
    if (type.getDimSize(1) * type.getElementTypeBitWidth() % 32 != 0)
      return op.emitOpError()
             << "expects rows of a multiple of 4 bytes, got " << type;
    return success();
  }

  LogicalResult check(AddNonfiniteOp op) {
    if (failed(expectRegisters(op, {op.getWeights(), op.getInit()})) ||
        failed(expect(op, op.getValues(), {Place::Shared, Place::Ring})))
      return failure();
    return holdInRegisters(op, op.getResult());
  }

  //===--- arithmetic -----------------------------------------------------===//
  LogicalResult check(arith::ConstantOp op) {
    if (!isTile(op.getResult()))
      return success();
    if (!isa<SplatElementsAttr>(op.getValue()))
      return op.emitOpError() << "expects one value for all elements of a tile";
    return holdInRegisters(op, op.getResult());
  }

  LogicalResult check(AnyAboveOp op) {
    if (failed(expectRows(op, op.getBounds())))
      return failure();
    return expectRegisters(op, {op.getTile(), op.getBounds()});
  }

  LogicalResult check(AnyBeyondOp op) {
    return expectRegisters(op, op.getRows());
  }

  LogicalResult check(CombineThreadsOp op) {
    if (failed(expectRows(op, op.getPartial())) ||
        failed(expectRegisters(op, op.getPartial())))
      return failure();
    return holdInRegisters(op, op.getResult());
  }

  LogicalResult check(AwaitOp op) {
    if (failed(checkRoles(op)) ||
        failed(expectRegisters(op, op->getOperands())))
      return failure();
    return holdInRegisters(op, op.getResult());
  }

  LogicalResult check(linalg::ContractOp op);
  LogicalResult check(linalg::GenericOp op);
  LogicalResult check(linalg::ReduceOp op);

  gpu::GPUFuncOp func;
  mlir::attn::ScheduleAttr schedule;
  llvm::DenseMap<Value, Place> places;
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
  Value lhs = op.getDpsInputs()[0], rhs = op.getDpsInputs()[1];
  Value init = op.getDpsInits()[0];
  Place left = places.lookup(lhs), right = places.lookup(rhs);
  if (right != Place::Ring && right != Place::Shared)
    return op.emitOpError() << "expects its right operand in shared memory";
  RankedTensorType lhsType = tileType(lhs), rhsType = tileType(rhs);
  Type element = rhsType.getElementType();
  if (lhsType.getElementType() != element)
    return op.emitOpError() << "expects operands of one element type, got "
                            << lhsType.getElementType() << " and " << element;
  if (lhsTransposed && (left != Place::Ring || right != Place::Ring))
    return op.emitOpError() << "expects a left operand whose columns are rows "
                               "of the result in a ring";
  int64_t depth = lhsType.getDimSize(lhsTransposed ? 0 : 1),
          columns = tileType(init).getDimSize(1);
  if (depth % 16 || columns % 16)
    return op.emitOpError() << "expects multiples of 16 columns and products";
  // Those two are for a matrix unit that is one of four warps, on what the copy
  // engine brought.
  bool inRing = right == Place::Ring;
  if (!isNumber(element) || (inRing && element.isF32()) ||
      !tileType(init).getElementType().isF32() ||
      (!lhsTransposed &&
       lhsType.getDimSize(0) != schedule.getTiling().getRows()) ||
      depth < 16 || depth > 256)
    return op.emitOpError()
           << "expects " << schedule.getTiling().getRows()
           << " rows, 16 to 256 products of f16, bf16 or, "
              "outside of rings, f32, and a result of f32, got "
           << lhsType << ", " << rhsType << " and " << init.getType();
  if (failed(expectRegisters(op, init)))
    return failure();
  if (left != Place::Registers &&
      left != (inRing ? Place::Ring : Place::Shared))
    return expect(op, lhs,
                  {Place::Registers, inRing ? Place::Ring : Place::Shared});
  if ((inRing || op->hasAttr(asyncMark)) && failed(checkRoles(op)))
    return failure();
  return holdInRegisters(op, op->getResult(0));
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
  if (failed(holdInRegisters(op, op.getResult(0))))
    return failure();
  OpOperand &init = *op.getDpsInitOperand(0);
  int64_t rank = tileType(op.getResult(0)).getRank();
  if (!op.getMatchingIndexingMap(&init).isIdentity() ||
      op.payloadUsesValueFromOperand(&init))
    return op.emitOpError()
           << "expects a result that is written in order and not read";
  for (OpOperand *input : op.getDpsInputOperands()) {
    Value value = input->get();
    AffineMap map = op.getMatchingIndexingMap(input);
    if (!isTile(value)) {
      if (value.getType().isIntOrIndexOrFloat())
        continue;
      return op.emitOpError()
             << "expects tiles and numbers, got " << value.getType();
    }
    if (failed(expect(op, value,
                      {Place::Registers, Place::Shared, Place::Ring})) ||
        failed(expectRowGroups(op, value)))
      return failure();
    if (rank == 1 &&
        isOfColumns(tileType(value)) != isOfColumns(tileType(op.getResult(0))))
      return op.emitOpError()
             << "expects vectors that are dealt alike, got " << value.getType()
             << " and " << op.getResult(0).getType();
    unsigned dim = rank == 2 && isOfColumns(tileType(value)) ? 1 : 0;
    bool inOrder =
        map.getNumResults() == 1
            ? map.getResult(0) == getAffineDimExpr(dim, op.getContext())
            : map.isIdentity();
    if (!inOrder || map.getNumResults() > rank)
      return op.emitOpError() << "expects tiles that are read in order, got "
                              << AffineMapAttr::get(map);
  }
  for (Operation &inner : op.getBody()->without_terminator())
    if (inner.getNumResults() == 0)
      return inner.emitOpError() << "expects a result within elementwise work";
  return success();
}

LogicalResult Preconditions::check(linalg::ReduceOp op) {
  if (op.getNumResults() != 1 || op->getNumOperands() != 2 ||
      !isTile(op.getInputs()[0]))
    return op.emitOpError() << "expects one tile to reduce";
  Value input = op.getInputs()[0];
  RankedTensorType type = tileType(input);
  if (type.getRank() != 2 || op.getDimensions() != ArrayRef<int64_t>{1} ||
      type.getElementTypeBitWidth() != 32)
    return op.emitOpError()
           << "expects the columns of a matrix of 32-bit elements, got "
           << type;
  for (Operation &inner : op.getCombiner().front().without_terminator())
    if (inner.getNumResults() == 0)
      return inner.emitOpError() << "expects a result within a reduction";
  if (failed(expectRegisters(op, {input, op.getInits()[0]})) ||
      failed(expectRows(op, op.getInits()[0])))
    return failure();
  return holdInRegisters(op, op->getResult(0));
}

LogicalResult mlir::attn::tile::checkKernel(gpu::GPUFuncOp func,
                                            mlir::attn::ScheduleAttr schedule) {
  return Preconditions(func, schedule).run();
}
