// The tile dialect: registration and verifiers.
#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::tile;

#include "attn/Dialect/Tile/IR/TileDialect.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "attn/Dialect/Tile/IR/TileTypes.cpp.inc"

#define GET_OP_CLASSES
#include "attn/Dialect/Tile/IR/TileOps.cpp.inc"

void TileDialect::initialize() {
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
                                    RankedTensorType tile, size_t offsets) {
  int64_t wanted = memory.getRank() - (tile.getRank() == 1 ? 0 : 1);
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

LogicalResult LoadOp::verify() {
  return verifyTransfer(*this, cast<MemRefType>(getSource().getType()),
                        cast<RankedTensorType>(getResult().getType()),
                        getOffsets().size());
}

LogicalResult StoreOp::verify() {
  return verifyTransfer(*this, cast<MemRefType>(getDest().getType()),
                        cast<RankedTensorType>(getTile().getType()),
                        getOffsets().size());
}

LogicalResult CopyOp::verify() {
  auto dest = cast<MemRefType>(getDest().getType());
  return verifyTransfer(
      *this, cast<MemRefType>(getSource().getType()),
      RankedTensorType::get(dest.getShape(), dest.getElementType()),
      getOffsets().size());
}

LogicalResult ViewOp::verify() {
  auto source = cast<MemRefType>(getSource().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  if (source.getElementType() != result.getElementType() ||
      source.getRank() != 2 || result.getRank() != 2 ||
      source.getDimSize(0) != result.getDimSize(0) ||
      source.getDimSize(1) < result.getDimSize(1))
    return emitOpError() << "expects memory that holds " << result << ", got "
                         << source;
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

LogicalResult RingType::verify(function_ref<InFlightDiagnostic()> emitError,
                               int64_t stages, RankedTensorType tile) {
  // C1
  if (stages < 1)
    return emitError() << "expects at least one stage, got " << stages;
  // C2
  if (tile.getRank() == 1 && tile.hasStaticShape() &&
      tile.getElementType().isInteger(64))
    return success();
  if (tile.getRank() != 2 || !tile.hasStaticShape() ||
      tile.getElementTypeBitWidth() != 16 || tile.getDimSize(0) > 256 ||
      tile.getDimSize(0) % 8 != 0)
    return emitError() << "expects tiles of 16-bit elements with at most 256 "
                          "rows, a multiple of 8, got "
                       << tile;
  return success();
}

LogicalResult RingOp::verify() {
  int64_t alignment =
      cast<RingType>(getType()).getTile().getRank() == 2 ? 1024 : 8;
  if (getOffset() % alignment != 0)
    return emitOpError() << "expects 'offset' to be a multiple of " << alignment
                         << ", got " << getOffset();
  if (getBarriers() % 8 != 0)
    return emitOpError() << "expects 'barriers' to be a multiple of 8, got "
                         << getBarriers();
  return success();
}

LogicalResult ReadOp::verify() {
  // C1
  Type tile = cast<RingType>(getRing().getType()).getTile();
  if (getType() != tile)
    return emitOpError() << "expects the ring's tile " << tile << ", got "
                         << getType();
  return success();
}

LogicalResult TasksOp::verify() {
  Block &body = getBody().front();
  if (body.getNumArguments() != 1 ||
      !body.getArgument(0).getType().isInteger(32))
    return emitOpError() << "expects a body with one argument, an i32";
  return success();
}

/// A task's number and those that follow from it, in a ring.
static LogicalResult verifyNumbers(Operation *op, RingType ring,
                                   TypeRange numbers) {
  RankedTensorType place = ring.getTile();
  int64_t count = numbers.size() + 1;
  if (place.getRank() != 1 || place.getDimSize(0) < count)
    return op->emitOpError()
           << "expects a ring for " << count << " numbers, got " << place;
  for (Type number : numbers)
    if (!number.isIndex() && number.getIntOrFloatBitWidth() > 64)
      return op->emitOpError()
             << "expects numbers of at most 64 bits, got " << number;
  return success();
}

LogicalResult SendTaskOp::verify() {
  return verifyNumbers(*this, cast<RingType>(getRing().getType()),
                       getNumbers().getTypes());
}

LogicalResult ReceiveTaskOp::verify() {
  return verifyNumbers(*this, cast<RingType>(getRing().getType()), {});
}

LogicalResult TaskNumberOp::verify() {
  if (getIndex() < 1)
    return emitOpError() << "expects an index of at least 1";
  return verifyNumbers(*this, cast<RingType>(getRing().getType()),
                       SmallVector<Type>(getIndex(), getNumber().getType()));
}

LogicalResult DrainOp::verify() {
  // C1
  auto place = cast<RingType>(getRing().getType()).getTile();
  auto tile = cast<RankedTensorType>(getTile().getType());
  auto chunks = [](RankedTensorType type) {
    return llvm::divideCeil(type.getDimSize(1), 64);
  };
  if (place.getRank() != 2 || tile.getRank() != 2 ||
      tile.getDimSize(0) != place.getDimSize(0) || chunks(tile) > chunks(place))
    return emitOpError() << "expects a tile that fits the ring's " << place
                         << ", got " << tile;
  return success();
}
