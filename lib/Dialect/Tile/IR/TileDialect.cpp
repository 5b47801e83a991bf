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
  if (tile.getRank() != 1 && tile.getRank() != 2)
    return op->emitOpError() << "expects a tile of rank 1 or 2, got " << tile;
  if (memory.getRank() < tile.getRank())
    return op->emitOpError() << "expects memory of at least the tile's rank "
                             << tile.getRank() << ", got " << memory;
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
  if (dest.getRank() != 2)
    return emitOpError() << "expects shared memory of rank 2, got " << dest;
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
  return success();
}

LogicalResult CombineThreadsOp::verify() {
  // C1
  auto partial = cast<RankedTensorType>(getPartial().getType());
  if (partial.getRank() != 1 || !partial.getElementType().isF32())
    return emitOpError() << "expects a vector of f32, got " << partial;
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

LogicalResult AwaitOp::verify() {
  // C1
  auto product = cast<RankedTensorType>(getProduct().getType());
  if (product.getRank() != 2 || !product.getElementType().isF32())
    return emitOpError() << "expects a matrix of f32, got " << product;
  if (Value after = getAfter()) {
    auto vector = cast<RankedTensorType>(after.getType());
    if (vector.getRank() != 1 || !vector.getElementType().isF32() ||
        vector.getNumElements() == 0)
      return emitOpError() << "expects a vector of f32 after 'after', got "
                           << vector;
  }
  // C2
  if (getPending() < 0 || getPending() > 7)
    return emitOpError() << "expects 'pending' from 0 to 7, got "
                         << getPending();
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
  if (stages < 1 || stages > 64)
    return emitError() << "expects 1 to 64 stages, got " << stages;
  // C2
  if (tile.getRank() == 1 && tile.hasStaticShape() &&
      tile.getElementType().isInteger(64)) {
    if (tile.getDimSize(0) < 1 || tile.getDimSize(0) > 64)
      return emitError() << "expects 1 to 64 numbers, got " << tile;
    return success();
  }
  if (tile.getRank() != 2 || !tile.hasStaticShape() ||
      !(tile.getElementType().isF16() || tile.getElementType().isBF16()) ||
      tile.getDimSize(0) < 8 || tile.getDimSize(0) > 256 ||
      tile.getDimSize(0) % 8 != 0 || tile.getDimSize(1) < 1 ||
      tile.getDimSize(1) > 256)
    return emitError() << "expects tiles of f16 or bf16 with 8 to 256 rows, a "
                          "multiple of 8, and 1 to 256 columns, got "
                       << tile;
  return success();
}

bool RingType::hasTiles() const { return getTile().getRank() == 2; }

int64_t RingType::getStageBytes() const {
  RankedTensorType tile = getTile();
  if (!hasTiles()) // a word for each number
    return 8 * tile.getDimSize(0);
  return tile.getDimSize(0) * llvm::alignTo(tile.getDimSize(1), 64) *
         tile.getElementTypeBitWidth() / 8;
}

static bool hasTiles(Value ring) {
  return cast<RingType>(ring.getType()).hasTiles();
}

LogicalResult RingOp::verify() {
  // C1
  int64_t alignment = hasTiles(getResult()) ? 1024 : 8;
  constexpr int64_t most = 256 * 1024;
  auto check = [&](StringRef name, int64_t bytes,
                   int64_t factor) -> LogicalResult {
    if (bytes % factor != 0)
      return emitOpError() << "expects '" << name << "' to be a multiple of "
                           << factor << ", got " << bytes;
    if (bytes < 0 || bytes > most)
      return emitOpError() << "expects '" << name << "' from 0 to " << most
                           << ", got " << bytes;
    return success();
  };
  if (getOffset().has_value() != getBarriers().has_value())
    return emitOpError() << "expects 'offset' and 'barriers', or neither";
  if (getOffset() && (failed(check("offset", *getOffset(), alignment)) ||
                      failed(check("barriers", *getBarriers(), 8))))
    return failure();
  // C2
  if (getReaders() && (*getReaders() < 1 || *getReaders() > 32))
    return emitOpError() << "expects 1 to 32 'readers', got " << *getReaders();
  return success();
}

/// What tile.fill and tile.drain have in common.
static LogicalResult verifyMapped(Operation *op, Value ring, size_t offsets) {
  if (!hasTiles(ring))
    return op->emitOpError()
           << "expects a ring of tiles, got " << ring.getType();
  if (offsets < 1 || offsets > 4)
    return op->emitOpError() << "expects 1 to 4 offsets, got " << offsets;
  return success();
}

LogicalResult FillOp::verify() {
  // C1
  return verifyMapped(*this, getRing(), getOffsets().size());
}

LogicalResult ReadOp::verify() {
  // C1
  if (!hasTiles(getRing()))
    return emitOpError() << "expects a ring of tiles, got "
                         << getRing().getType();
  Type tile = cast<RingType>(getRing().getType()).getTile();
  if (getType() != tile)
    return emitOpError() << "expects the ring's tile " << tile << ", got "
                         << getType();
  return success();
}

//===--- tile.tasks -------------------------------------------------------===//

BlockArgument TasksOp::getTask() { return getBody().getArgument(0); }

static size_t countNumbers(TasksOp tasks) {
  return tasks.getNumbers().empty()
             ? 0
             : tasks.getNumbers().front().getTerminator()->getNumOperands();
}

Block::BlockArgListType TasksOp::getNumberArguments() {
  return getBody().getArguments().slice(1, countNumbers(*this));
}

bool TasksOp::isCounted() {
  return getBody().getNumArguments() > 1 + countNumbers(*this);
}

Block::BlockArgListType TasksOp::getSums() {
  return getBody().getArguments().drop_front(
      std::min<size_t>(2 + countNumbers(*this), getBody().getNumArguments()));
}

LogicalResult TasksOp::verify() {
  // C1
  SmallVector<Type> types{IntegerType::get(getContext(), 32)};
  if (!getNumbers().empty()) {
    if (getNumbers().getArgumentTypes() != TypeRange(types))
      return emitOpError() << "expects numbers of one argument, an i32";
    llvm::append_range(types,
                       getNumbers().front().getTerminator()->getOperandTypes());
  }
  TypeRange counts = getBody().front().getTerminator()->getOperandTypes();
  if (isCounted() || !counts.empty())
    types.push_back(types.front());
  llvm::append_range(types, counts);
  if (!llvm::all_of(counts, [](Type type) { return type.isInteger(32); }))
    return emitOpError() << "expects a body that yields i32";
  if (getBody().getArgumentTypes() != TypeRange(types))
    return emitOpError() << "expects a body with arguments " << types
                         << ", got "
                         << llvm::to_vector(getBody().getArgumentTypes());
  return success();
}

/// Of a body that counts nothing.
void YieldOp::build(OpBuilder &, OperationState &) {}

LogicalResult RolesOp::verify() {
  // C1
  for (Region *role : getRegions()) {
    bool produces = role == &getProduce(), inspects = role == &getInspect();
    WalkResult result = role->walk([&](Operation *op) {
      auto send = dyn_cast<SendOp>(op);
      bool fits = isa<FillOp, DrawTaskOp>(op)             ? produces
                  : isa<ReadOp, ReceiveOp, ReleaseOp>(op) ? !produces
                  : send && send.getAbout()               ? inspects
                                                          : true;
      return fits ? WalkResult::advance() : WalkResult::interrupt();
    });
    if (result.wasInterrupted())
      return emitOpError()
             << "expects to fill rings and draw tasks where it produces, to "
                "read and release where it does not, and to send about tiles "
                "where it inspects";
  }
  return success();
}

/// Numbers of `types`, each at its place of `places`, in a ring (C1 of
/// tile.send and tile.receive).
static LogicalResult verifyNumbers(Operation *op, RingType ring,
                                   ArrayRef<int64_t> places, TypeRange types) {
  if (ring.hasTiles())
    return op->emitOpError() << "expects a ring of numbers, got " << ring;
  if (places.size() != types.size())
    return op->emitOpError()
           << "expects " << places.size()
           << " results, one for each place, got " << types.size();
  for (int64_t place : places)
    if (place < 0 || place >= ring.getTile().getDimSize(0))
      return op->emitOpError()
             << "expects a ring with a place " << place << ", got " << ring;
  for (Type number : types)
    if (!number.isIndex() && number.getIntOrFloatBitWidth() > 64)
      return op->emitOpError()
             << "expects numbers of at most 64 bits, got " << number;
  return success();
}

LogicalResult SendOp::verify() {
  auto places = llvm::to_vector(llvm::seq<int64_t>(0, getNumbers().size()));
  return verifyNumbers(*this, cast<RingType>(getRing().getType()), places,
                       getNumbers().getTypes());
}

LogicalResult ReceiveOp::verify() {
  return verifyNumbers(*this, cast<RingType>(getRing().getType()), getPlaces(),
                       getNumbers().getTypes());
}

LogicalResult DrainOp::verify() {
  // C1
  auto place = cast<RingType>(getRing().getType()).getTile();
  auto tile = cast<RankedTensorType>(getTile().getType());
  auto chunks = [](RankedTensorType type) {
    return llvm::divideCeil(type.getDimSize(1), 64);
  };
  if (place.getRank() != 2 || tile.getRank() != 2 ||
      tile.getElementType() != place.getElementType() ||
      tile.getDimSize(0) != place.getDimSize(0) || chunks(tile) > chunks(place))
    return emitOpError() << "expects a tile that fits the ring's " << place
                         << ", got " << tile;
  // C2
  return verifyMapped(*this, getRing(), getOffsets().size());
}
