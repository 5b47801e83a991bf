// The tile dialect: registration, and verifiers of TileOps.td.
#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

#include "attn/Dialect/Tile/IR/TileDialect.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "attn/Dialect/Tile/IR/TileAttrs.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "attn/Dialect/Tile/IR/TileTypes.cpp.inc"

#define GET_OP_CLASSES
#include "attn/Dialect/Tile/IR/TileOps.cpp.inc"

void TileDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "attn/Dialect/Tile/IR/TileAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "attn/Dialect/Tile/IR/TileTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "attn/Dialect/Tile/IR/TileOps.cpp.inc"
      >();
}

/// What tile.load and tile.store have in common (their C1 to C3).
static LogicalResult verifyTransfer(Operation *op, MemRefType memory,
                                    RankedTensorType tile, size_t offsets,
                                    bool packed) {
  if (tile.getRank() != 1 && tile.getRank() != 2)
    return op->emitOpError() << "expects a tile of rank 1 or 2, got " << tile;
  int64_t least = tile.getRank() + (packed ? 1 : 0);
  if (memory.getRank() < least)
    return op->emitOpError() << "expects memory of at least the tile's rank "
                             << least << ", got " << memory;
  int64_t wanted =
      memory.getRank() - (tile.getRank() == 1 ? 0 : 1) - (packed ? 1 : 0);
  if (static_cast<int64_t>(offsets) != wanted)
    return op->emitOpError()
           << "expects " << wanted << " offsets for memory of rank "
           << memory.getRank() << " and a tile of rank " << tile.getRank()
           << ", got " << offsets;
  if (memory.getElementType() != tile.getElementType())
    return op->emitOpError() << "expects a tile of " << memory.getElementType()
                             << ", got " << tile.getElementType();
  if (tile.getRank() == 2 && memory.hasRank()) {
    int64_t channels = memory.getShape().back();
    if (!ShapedType::isDynamic(channels) && channels > tile.getDimSize(1))
      return op->emitOpError() << "expects a tile at least " << channels
                               << " wide, got " << tile.getDimSize(1);
  }
  return success();
}

/// C5 of tile.load.
static LogicalResult verifyTable(Operation *op, Value table, Value end,
                                 MemRefType memory, int64_t tileRank) {
  if (!table != !end)
    return op->emitOpError() << "expects a table and an end, or neither";
  if (table && (memory.getRank() != 4 || tileRank != 2))
    return op->emitOpError() << "expects memory of rank 4 and a tile of rank 2 "
                                "with a table, got "
                             << memory << " and rank " << tileRank;
  return success();
}

LogicalResult tile::verifyHeld(Operation *op, MemRefType memory,
                               RankedTensorType tile, size_t offsets) {
  constexpr int64_t rows = 64, columns = 8, threads = 128, numbers = 4;
  if (tile.getRank() != 2 || !tile.getElementType().isF32() ||
      tile.getDimSize(0) % rows != 0 || tile.getDimSize(1) % columns != 0)
    return op->emitOpError()
           << "expects a matrix of f32 with a multiple of " << rows
           << " rows and of " << columns << " columns, got " << tile;
  int64_t rank = memory.getRank();
  if (!memory.getElementType().isF32() || !memory.getLayout().isIdentity() ||
      rank < 3 || static_cast<int64_t>(offsets) != rank - 3 ||
      memory.getShape().take_back(3) !=
          ArrayRef<int64_t>{tile.getDimSize(1) / columns, threads, numbers})
    return op->emitOpError()
           << "expects contiguous memory of f32 that ends in "
           << tile.getDimSize(1) / columns << " x " << threads << " x "
           << numbers << ", and offsets of all other dimensions, got " << memory
           << " and " << offsets;
  return success();
}

/// C4
static LogicalResult verifyNotBoth(Operation *op, bool held, bool packed) {
  if (held && packed)
    return op->emitOpError() << "expects 'held' or 'packed', got both";
  return success();
}

LogicalResult LoadOp::verify() {
  if (failed(verifyNotBoth(*this, getHeld(), getPacked())))
    return failure();
  auto memory = cast<MemRefType>(getSource().getType());
  int64_t rank = cast<RankedTensorType>(getResult().getType()).getRank();
  if (failed(verifyTable(*this, getTable(), getEnd(), memory, rank)))
    return failure();
  if (getTable() && (getHeld() || getPacked()))
    return emitOpError() << "expects no 'held' or 'packed' with a table";
  if (getHeld())
    return verifyHeld(*this, cast<MemRefType>(getSource().getType()),
                      cast<RankedTensorType>(getResult().getType()),
                      getOffsets().size());
  return verifyTransfer(*this, cast<MemRefType>(getSource().getType()),
                        cast<RankedTensorType>(getResult().getType()),
                        getOffsets().size(), getPacked());
}

LogicalResult StoreOp::verify() {
  if (failed(verifyNotBoth(*this, getHeld(), getPacked())))
    return failure();
  if (getHeld())
    return verifyHeld(*this, cast<MemRefType>(getDest().getType()),
                      cast<RankedTensorType>(getTile().getType()),
                      getOffsets().size());
  return verifyTransfer(*this, cast<MemRefType>(getDest().getType()),
                        cast<RankedTensorType>(getTile().getType()),
                        getOffsets().size(), getPacked());
}

LogicalResult ReduceAddOp::verify() {
  // C1, C2
  return verifyHeld(*this, cast<MemRefType>(getDest().getType()),
                    cast<RankedTensorType>(getTile().getType()),
                    getOffsets().size());
}

LogicalResult IsolateNonfiniteOp::verify() {
  // C1
  auto tile = cast<RankedTensorType>(getTile().getType());
  auto rows = cast<RankedTensorType>(getRows().getType());
  if (tile.getRank() != 2 ||
      !(tile.getElementType().isF16() || tile.getElementType().isBF16()) ||
      rows.getShape() != tile.getShape().take_front() ||
      !rows.getElementType().isF32())
    return emitOpError() << "expects a matrix of f16 or bf16 and an f32 for "
                            "each row, got "
                         << tile << " and " << rows;
  return success();
}

LogicalResult ScatterAddOp::verify() {
  auto tile = cast<RankedTensorType>(getTile().getType());
  auto places = cast<RankedTensorType>(getPlaces().getType());
  auto dest = cast<MemRefType>(getDest().getType());
  // C1
  if (tile.getRank() < 1 || tile.getRank() > 2 ||
      !tile.getElementType().isF32() || !dest.getElementType().isF32())
    return emitOpError() << "expects a vector or matrix and memory of f32, got "
                         << tile << " and " << dest;
  // C2
  if (places.getShape() != tile.getShape() ||
      places.getEncoding() != tile.getEncoding() ||
      !places.getElementType().isInteger(64))
    return emitOpError() << "expects a place of i64 for each element of "
                         << tile << ", got " << places;
  // C3
  if (static_cast<int64_t>(getOffsets().size()) + 1 != dest.getRank())
    return emitOpError() << "expects an offset for each dimension of " << dest
                         << " but the last, got " << getOffsets().size();
  // C4
  if (getPerWarp() && getOffsets().empty())
    return emitOpError() << "expects an offset that counts copies, got "
                         << dest;
  return success();
}

LogicalResult CopyOp::verify() {
  auto dest = cast<MemRefType>(getDest().getType());
  if (dest.getRank() != 2)
    return emitOpError() << "expects shared memory of rank 2, got " << dest;
  if (failed(verifyTable(*this, getTable(), getEnd(),
                         cast<MemRefType>(getSource().getType()),
                         dest.getRank())))
    return failure();
  // C5
  if (getReadOnce() && !getAsync())
    return emitOpError() << "expects 'read_once' to go with 'async'";
  return verifyTransfer(
      *this, cast<MemRefType>(getSource().getType()),
      RankedTensorType::get(dest.getShape(), dest.getElementType()),
      getOffsets().size(), getPacked());
}

LogicalResult ViewOp::verify() {
  // C1
  auto source = cast<MemRefType>(getSource().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  if (source.getElementType() != result.getElementType() ||
      source.getRank() != 2 || result.getRank() != 2 ||
      source.getDimSize(0) != result.getDimSize(0) ||
      source.getDimSize(1) < result.getDimSize(1))
    return emitOpError() << "expects memory that holds " << result << ", got "
                         << source;
  // C2
  if (isLeftOperand(result) ||
      result.getEncoding() ==
          PaddedAttr::get(getContext(), source.getDimSize(1)))
    return success();
  return emitOpError() << "expects a left operand, or a tile with rows of "
                       << source.getDimSize(1) << " elements, got " << result;
}

/// Whether `tile` has elements, which are numbers of a matrix unit.
static bool holdsNumbers(RankedTensorType tile) {
  Type element = tile.getElementType();
  return (element.isF32() || element.isF16() || element.isBF16()) &&
         tile.getNumElements() > 0;
}

LogicalResult HasNonfiniteOp::verify() {
  // C1
  auto tile = cast<RankedTensorType>(getTile().getType());
  if (!holdsNumbers(tile) || tile.getRank() < 1 || tile.getRank() > 2)
    return emitOpError()
           << "expects a vector or matrix of f32, f16 or bf16, got " << tile;
  if (isLeftOperand(tile))
    return emitOpError() << "expects no left operand, got " << tile;
  return success();
}

LogicalResult CombineThreadsOp::verify() {
  // C1
  auto partial = cast<RankedTensorType>(getPartial().getType());
  if (partial.getRank() != 1 || !partial.getElementType().isF32())
    return emitOpError() << "expects a vector of f32, got " << partial;
  return success();
}

LogicalResult CombineWarpsOp::verify() {
  // C1
  auto partial = cast<RankedTensorType>(getPartial().getType());
  if (partial.getRank() < 1 || partial.getRank() > 2 ||
      !partial.getElementType().isF32() || partial.getNumElements() == 0)
    return emitOpError() << "expects a vector or matrix of f32, got "
                         << partial;
  // C2
  if (std::optional<uint64_t> offset = getOffset();
      offset && (static_cast<int64_t>(*offset) < 0 || *offset % 16))
    return emitOpError() << "expects 'offset' to be a multiple of 16, at least "
                            "0, got "
                         << static_cast<int64_t>(*offset);
  return success();
}

AffineMap tile::diagonalsOf(MLIRContext *context, int64_t columns) {
  AffineExpr row, column;
  bindDims(context, row, column);
  return AffineMap::get(2, 0, row - column + (columns - 1));
}

LogicalResult DiagonalsOp::verify() {
  // C1
  std::optional<uint64_t> offset = getOffset();
  if (offset && (static_cast<int64_t>(*offset) < 0 || *offset % 16))
    return emitOpError() << "expects 'offset' to be a multiple of 16, at least "
                            "0, got "
                         << static_cast<int64_t>(*offset);
  if (offset.has_value() == isInLanes(cast<RankedTensorType>(getType())))
    return emitOpError() << "expects an offset or lanes that keep the result";
  // C2
  Block &block = getBody().front();
  if (block.getNumArguments() != 1 || !block.getArgument(0).getType().isIndex())
    return emitOpError() << "expects a body with one argument, an index";
  auto yield = dyn_cast<YieldOp>(block.getTerminator());
  Type element = cast<RankedTensorType>(getType()).getElementType();
  if (!yield || yield->getNumOperands() != 1 ||
      yield->getOperand(0).getType() != element)
    return emitOpError() << "expects a body that yields " << element;
  return success();
}

LogicalResult SumDiagonalsOp::verify() {
  // C1
  auto tile = cast<RankedTensorType>(getTile().getType());
  auto sums = cast<RankedTensorType>(getType());
  if (tile.getRank() != 2 || !tile.getElementType().isF32() ||
      !sums.getElementType().isF32() || !isInLanes(sums) ||
      sums.getDimSize(0) != tile.getDimSize(0) + tile.getDimSize(1) - 1)
    return emitOpError() << "expects the sums of a matrix of f32 in lanes, got "
                         << tile << " and " << sums;
  // C2
  if (static_cast<int64_t>(getOffset()) < 0 || getOffset() % 16)
    return emitOpError() << "expects 'offset' to be a multiple of 16, at least "
                            "0, got "
                         << static_cast<int64_t>(getOffset());
  return success();
}

LogicalResult AnyAboveOp::verify() {
  // C1
  auto tile = cast<RankedTensorType>(getTile().getType());
  auto bounds = cast<RankedTensorType>(getBounds().getType());
  if (tile.getRank() != 2 || bounds.getRank() != 1 ||
      tile.getDimSize(0) != bounds.getDimSize(0))
    return emitOpError() << "expects a bound for each row of " << tile
                         << ", got " << bounds;
  if (!tile.getElementType().isF32() || !bounds.getElementType().isF32() ||
      tile.getNumElements() == 0)
    return emitOpError() << "expects elements and bounds of f32, got " << tile
                         << " and " << bounds;
  return success();
}

LogicalResult AddNonfiniteOp::verify() {
  // C1
  auto weights = cast<RankedTensorType>(getWeights().getType());
  auto values = cast<RankedTensorType>(getValues().getType());
  auto init = cast<RankedTensorType>(getInit().getType());
  if (weights.getRank() != 2 || values.getRank() != 2 || init.getRank() != 2 ||
      weights.getDimSize(1) != values.getDimSize(0) ||
      init.getDimSize(0) != weights.getDimSize(0) ||
      init.getDimSize(1) != values.getDimSize(1))
    return emitOpError() << "expects the sizes of a product, got " << weights
                         << ", " << values << " and " << init;
  if (!holdsNumbers(weights) || !holdsNumbers(values) ||
      weights.getElementType() != values.getElementType() ||
      !init.getElementType().isF32())
    return emitOpError() << "expects weights and values of f32, f16 or bf16 "
                            "and a result of f32, got "
                         << weights << ", " << values << " and " << init;
  return success();
}

LogicalResult ClearNonfiniteOp::verify() {
  // C1
  auto tile = cast<RankedTensorType>(getTile().getType());
  if (!holdsNumbers(tile) || tile.getRank() != 2)
    return emitOpError() << "expects a matrix of f32, f16 or bf16, got "
                         << tile;
  return success();
}

LogicalResult AnyBeyondOp::verify() {
  // C1
  auto rows = cast<RankedTensorType>(getRows().getType());
  if (rows.getRank() != 1 || !rows.getElementType().isF32())
    return emitOpError() << "expects a row vector of f32, got " << rows;
  // C2
  if (!(getBound() > APFloat(0.0f)))
    return emitOpError() << "expects 'bound' to be a positive number, got "
                         << getBoundAttr();
  return success();
}

//===--- tasks ------------------------------------------------------------===//

void FindTaskOp::build(OpBuilder &builder, OperationState &state,
                       Value position, Value runs, Value repeat,
                       function_ref<Value(OpBuilder &, Value)> length) {
  Type index = builder.getIndexType();
  state.addOperands({position, runs, repeat});
  state.addTypes({index, index});
  OpBuilder::InsertionGuard guard(builder);
  Block *body =
      builder.createBlock(state.addRegion(), {}, index, state.location);
  Value yielded = length(builder, body->getArgument(0));
  builder.setInsertionPointToEnd(body);
  YieldOp::create(builder, state.location, yielded);
}

LogicalResult FindTaskOp::verifyRegions() {
  // C1
  Block &body = getLength().front();
  auto isIndex = [](TypeRange types) {
    return types.size() == 1 && types[0].isIndex();
  };
  if (!isIndex(body.getArgumentTypes()) ||
      !isIndex(body.getTerminator()->getOperandTypes()))
    return emitOpError() << "expects a region that takes an index, and yields "
                            "one";
  return success();
}
