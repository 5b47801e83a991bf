// Rings and what goes through them: verifiers of TileRingOps.td.
#include "attn/Dialect/Tile/IR/SharedMemory.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

LogicalResult RingType::verify(function_ref<InFlightDiagnostic()> emitError,
                               int64_t stages, RankedTensorType tile) {
  // C1
  if (stages < 1 || stages > 64)
    return emitError() << "expects 1 to 64 stages, got " << stages;
  // C2
  if (tile.getEncoding())
    return emitError() << "expects tiles without an encoding, got " << tile;
  if (tile.getRank() == 1 && tile.hasStaticShape() &&
      tile.getElementType().isInteger(64)) {
    if (tile.getDimSize(0) < 1 || tile.getDimSize(0) > 64)
      return emitError() << "expects 1 to 64 numbers, got " << tile;
    return success();
  }
  if (tile.getRank() == 1 && tile.hasStaticShape() &&
      tile.getElementType().isF32()) {
    if (tile.getDimSize(0) < 8 || tile.getDimSize(0) > 256 ||
        tile.getDimSize(0) % 8 != 0)
      return emitError() << "expects vectors of f32 with 8 to 256 elements, a "
                            "multiple of 8, got "
                         << tile;
    return success();
  }
  if (tile.getRank() != 2 || !tile.hasStaticShape() ||
      !(tile.getElementType().isF16() || tile.getElementType().isBF16() ||
        tile.getElementType().isF32()) ||
      tile.getDimSize(0) < 8 || tile.getDimSize(0) > 256 ||
      tile.getDimSize(0) % 8 != 0 || tile.getDimSize(1) < 1 ||
      tile.getDimSize(1) > 256)
    return emitError()
           << "expects tiles of f16, bf16 or f32 with 8 to 256 rows, a "
              "multiple of 8, and 1 to 256 columns, got "
           << tile;
  return success();
}

bool RingType::hasTiles() const {
  return getTile().getRank() == 2 || hasVectors();
}

bool RingType::hasVectors() const {
  return getTile().getRank() == 1 && getTile().getElementType().isF32();
}

int64_t RingType::getStageBytes() const {
  RankedTensorType tile = getTile();
  if (!hasTiles()) // a word for each number
    return 8 * tile.getDimSize(0);
  if (hasVectors())
    return shared::floatBytes(tile.getDimSize(0));
  if (tile.getElementType().isF32())
    return shared::floatBytes(tile.getNumElements());
  return shared::swizzledBytes(tile.getDimSize(0), tile.getDimSize(1));
}

RankedTensorType RingType::getTileInSlot() const {
  return getTile().cloneWithEncoding(SlotAttr::get(getContext()));
}

LogicalResult RingOp::verify() {
  // C1
  auto type = cast<RingType>(getResult().getType());
  int64_t alignment = type.hasVectors() ? 16 : type.hasTiles() ? 1024 : 8;
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
  bool isShared = isForSharing(*this);
  if (!isShared && getOffset().has_value() != getBarriers().has_value())
    return emitOpError() << "expects 'offset' and 'barriers', or neither";
  if (getOffset() && failed(check("offset", *getOffset(), alignment)))
    return failure();
  if (getBarriers() && failed(check("barriers", *getBarriers(), 8)))
    return failure();
  // C2
  if (getReaders() && (*getReaders() < 1 || *getReaders() > 32))
    return emitOpError() << "expects 1 to 32 'readers', got " << *getReaders();
  // C3
  if (isShared && (getReaders() || getBarriers()))
    return emitOpError() << "expects neither readers nor barriers of a ring "
                            "that tiles are shared in";
  return success();
}

bool tile::isForSharing(RingOp ring) {
  return llvm::any_of(ring.getResult().getUsers(),
                      [](Operation *user) { return isa<ShareOp>(user); });
}

/// A ring of matrices of f32.
static LogicalResult verifyRingOfSums(Operation *op, RingType ring) {
  if (ring.getTile().getRank() == 2 && ring.getTile().getElementType().isF32())
    return success();
  return op->emitOpError() << "expects a ring of matrices of f32, got " << ring;
}

LogicalResult PutOp::verify() {
  // C1
  auto ring = cast<RingType>(getRing().getType());
  if (failed(verifyRingOfSums(*this, ring)))
    return failure();
  auto tile = cast<RankedTensorType>(getTile().getType());
  if (tile.getShape() != ring.getTile().getShape() ||
      !tile.getElementType().isF32())
    return emitOpError() << "expects the ring's tile " << ring.getTile()
                         << ", got " << tile;
  return success();
}

LogicalResult HandOnOp::verify() {
  // C1
  return verifyRingOfSums(*this, cast<RingType>(getRing().getType()));
}

LogicalResult AddToMemoryOp::verify() {
  // C1
  auto ring = cast<RingType>(getRing().getType());
  if (failed(verifyRingOfSums(*this, ring)))
    return failure();
  return verifyHeld(*this, cast<MemRefType>(getDest().getType()),
                    ring.getTile(), getOffsets().size());
}

LogicalResult ShareOp::verify() {
  // C1
  auto type = cast<RingType>(getRing().getType());
  if (!type.hasTiles() || type.hasVectors() ||
      type.getTile().getElementTypeBitWidth() != 16)
    return emitOpError()
           << "expects a ring of matrices of 16-bit elements, got " << type;
  if (getTile().getType() != type.getTile())
    return emitOpError() << "expects the ring's tile " << type.getTile()
                         << ", got " << getTile().getType();
  return success();
}

/// What tile.fill and tile.drain have in common.
static LogicalResult verifyMapped(Operation *op, Value ring, size_t offsets) {
  auto type = cast<RingType>(ring.getType());
  if (!type.hasTiles() || type.hasVectors() ||
      type.getTile().getElementTypeBitWidth() != 16)
    return op->emitOpError()
           << "expects a ring of matrices of 16-bit elements, got " << type;
  if (offsets < 1 || offsets > 4)
    return op->emitOpError() << "expects 1 to 4 offsets, got " << offsets;
  return success();
}

LogicalResult FillOp::verify() {
  // C1
  return verifyMapped(*this, getRing(), getOffsets().size());
}

LogicalResult FillVectorOp::verify() {
  // C1
  auto ring = cast<RingType>(getRing().getType());
  if (!ring.hasVectors())
    return emitOpError() << "expects a ring of vectors, got " << ring;
  auto memory = cast<MemRefType>(getSource().getType());
  if (!memory.getElementType().isF32() || !memory.getLayout().isIdentity())
    return emitOpError() << "expects contiguous memory of f32, got " << memory;
  if (static_cast<int64_t>(getOffsets().size()) != memory.getRank())
    return emitOpError() << "expects " << memory.getRank() << " offsets, got "
                         << getOffsets().size();
  return success();
}

LogicalResult ReadOp::verify() {
  // C1
  Type tile = cast<RingType>(getRing().getType()).getTileInSlot();
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
      bool fits = isa<FillOp, FillVectorOp, DrawTaskOp>(op) ? produces
                  : isa<ReadOp, ReceiveOp, ReleaseOp>(op)   ? !produces
                  : isa<PutOp, HandOnOp>(op) ? role == &getCompute()
                  : isa<AddToMemoryOp>(op)   ? role == &getStore()
                  : send && send.getAbout()  ? inspects
                                             : true;
      return fits ? WalkResult::advance() : WalkResult::interrupt();
    });
    if (result.wasInterrupted())
      return emitOpError()
             << "expects to fill rings and draw tasks where it produces, to "
                "read and release where it does not, to send about tiles where "
                "it inspects, and to add to memory where it stores what is put "
                "where it computes";
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
