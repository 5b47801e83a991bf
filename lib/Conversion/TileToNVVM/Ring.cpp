// Rings of tiles and numbers in shared memory: barriers, bulk tensor copies,
// and the turns of the groups that compute.
#include "Distribution.h"
#include "Held.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

namespace {

/// A number of any type has a word of its own.
constexpr int64_t numberBytes = 8;

/// Where the position'th tile of a ring lies.
class Slot {
public:
  Slot(Distribution &d, Value ring, Value position)
      : d(d), b(d.b), type(cast<RingType>(ring.getType())),
        parts(d.parts.lookup(ring)) {
    int64_t stages = type.getStages();
    Value round = position;
    stage = d.i32(0);
    if (stages > 1) {
      stage = arith::RemUIOp::create(b, position, d.i32(stages));
      round = arith::DivUIOp::create(b, position, d.i32(stages));
    }
    parity = arith::AndIOp::create(b, round, d.i32(1));
  }

  int64_t chunks() {
    return llvm::divideCeil(type.getTile().getDimSize(1), chunkColumns);
  }
  int64_t bytes() { return type.getStageBytes(); }

  Value tile() {
    return add(parts[0], arith::MulIOp::create(b, stage, d.i32(bytes())));
  }
  Value arrived() {
    Value offset = arith::MulIOp::create(b, stage, d.i32(8));
    return d.pointerTo(add(parts[1], offset));
  }
  Value released() {
    Value offset = arith::MulIOp::create(b, stage, d.i32(8));
    return d.pointerTo(add(parts[1], add(offset, d.i32(8 * type.getStages()))));
  }

  void waitForTile() { wait(arrived(), parity); }
  Value isThere() {
    return NVVM::MBarrierTestWaitOp::create(b, b.getI1Type(), arrived(), parity,
                                            NVVM::MemScopeKind::CTA,
                                            /*relaxed=*/false);
  }
  /// The first round finds every stage free.
  void waitForRelease() {
    wait(released(), arith::XOrIOp::create(b, parity, d.i32(1)));
  }

private:
  void wait(Value barrier, Value phase) {
    NVVM::MBarrierTryWaitParityOp::create(b, barrier, phase, d.i32(10000000));
  }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, x, y); }

  Distribution &d;
  ImplicitLocOpBuilder &b;
  RingType type;
  SmallVector<Value> parts; ///< of the ring
  Value stage, parity;
};

/// Runs `body` in threads where `condition` holds.
void emitIf(ImplicitLocOpBuilder &b, Value condition,
            llvm::function_ref<void()> body) {
  auto branch = scf::IfOp::create(b, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(branch.thenYield());
  body();
}

} // namespace

void tile::emitRing(Distribution &d, RingOp op) {
  ImplicitLocOpBuilder &b = d.b;
  Value memory = d.alignedSharedMemory();
  SmallVector<Value> &parts = d.parts[op.getResult()];
  parts.push_back(arith::AddIOp::create(b, memory, d.i32(*op.getOffset())));
  if (isForSharing(op)) { // and nobody waits at barriers
    parts.push_back(parts.front());
    return;
  }
  Value barriers = arith::AddIOp::create(b, memory, d.i32(*op.getBarriers()));
  parts.push_back(barriers);
  int64_t stages = cast<RingType>(op.getType()).getStages();
  bool isPut = llvm::any_of(op.getResult().getUsers(),
                            [](Operation *user) { return isa<PutOp>(user); });
  int64_t writers = isPut ? d.threads / 32 : 1;
  Value first =
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, d.thread, d.i32(0));
  emitIf(b, first, [&] {
    for (int64_t i = 0; i < 2 * stages; ++i) {
      Value barrier =
          d.pointerTo(arith::AddIOp::create(b, barriers, d.i32(8 * i)));
      NVVM::MBarrierInitOp::create(
          b, barrier, d.i32(i < stages ? writers : *op.getReaders()), Value());
    }
  });
}

void tile::emitFill(Distribution &d, FillOp op) {
  ImplicitLocOpBuilder &b = d.b;
  Slot slot(d, op.getRing(), op.getPosition());
  RankedTensorType tile = cast<RingType>(op.getRing().getType()).getTile();
  slot.waitForRelease();
  Value arrived = slot.arrived(), destination = slot.tile();
  // Bytes past the end of the memory arrive as zeros, and count.
  NVVM::MBarrierArriveExpectTxOp::create(
      b, TypeRange(), arrived, d.i32(slot.bytes()), NVVM::MemScopeKind::CTA,
      /*relaxed=*/false, /*predicate=*/Value());
  SmallVector<Value> coordinates{Value()};
  for (Value offset : llvm::reverse(op.getOffsets()))
    coordinates.push_back(
        arith::IndexCastOp::create(b, b.getI32Type(), offset));
  for (int64_t chunk = 0; chunk < slot.chunks(); ++chunk) {
    coordinates[0] = d.i32(chunk * chunkColumns);
    Value to = d.pointerTo(
        arith::AddIOp::create(b, destination, d.i32(chunk * chunkBytes(tile))));
    NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp::create(
        b, to, op.getMap(), coordinates, arrived,
        /*im2colOffsets=*/ValueRange(),
        /*multicastMask=*/Value(), /*l2CacheHint=*/Value(),
        NVVM::TMALoadMode::TILE, /*isCTAOnly=*/true, /*group=*/nullptr,
        /*predicate=*/Value());
  }
}

void tile::emitFillVector(Distribution &d, FillVectorOp op) {
  ImplicitLocOpBuilder &b = d.b;
  Slot slot(d, op.getRing(), op.getPosition());
  slot.waitForRelease();
  Value arrived = slot.arrived(), bytes = d.i32(slot.bytes());
  NVVM::MBarrierArriveExpectTxOp::create(b, TypeRange(), arrived, bytes,
                                         NVVM::MemScopeKind::CTA,
                                         /*relaxed=*/false,
                                         /*predicate=*/Value());
  Value from = d.globalPointer(op.getSource(), op.getOffsets());
  NVVM::CpAsyncBulkGlobalToSharedClusterOp::create(
      b, d.pointerTo(slot.tile()), from, arrived, bytes,
      /*multicastMask=*/Value(), /*l2CacheHint=*/Value());
}

void tile::emitRead(Distribution &d, ReadOp op) {
  Slot slot(d, op.getRing(), op.getPosition());
  if (Value arrived = op.getArrived())
    emitIf(d.b,
           arith::XOrIOp::create(d.b, arrived,
                                 arith::ConstantIntOp::create(d.b, 1, 1)),
           [&] { slot.waitForTile(); });
  else
    slot.waitForTile();
  d.parts[op.getResult()] = {slot.tile()};
}

void tile::emitPeek(Distribution &d, PeekOp op) {
  d.parts[op.getArrived()] = {
      Slot(d, op.getRing(), op.getPosition()).isThere()};
}

static void arrive(ImplicitLocOpBuilder &b, Value barrier) {
  NVVM::MBarrierArriveOp::create(b, TypeRange(), barrier, Value(),
                                 NVVM::MemScopeKind::CTA, /*relaxed=*/false);
}

/// Runs `body` in one lane, which speaks for its warp.
static void inFirstLane(Distribution &d, llvm::function_ref<void()> body) {
  emitIf(d.b,
         arith::CmpIOp::create(d.b, arith::CmpIPredicate::eq, d.lane, d.i32(0)),
         body);
}

/// The warp's products have ended for all of it.
void tile::emitRelease(Distribution &d, ReleaseOp op) {
  Slot slot(d, op.getRing(), op.getPosition());
  Value released = slot.released();
  // Numbers and vectors every lane reads when it likes.
  auto type = cast<RingType>(op.getRing().getType());
  if (!type.hasTiles() || type.hasVectors())
    NVVM::SyncWarpOp::create(d.b, d.i32(-1));
  inFirstLane(d, [&] { arrive(d.b, released); });
}

//===--- tasks ------------------------------------------------------------===//

/// atom.inc goes back to zero behind count - 1, which is the last draw.
void tile::emitDrawTask(Distribution &d, DrawTaskOp op) {
  ImplicitLocOpBuilder &b = d.b;
  Value last = arith::SubIOp::create(b, op.getCount(), d.i32(1));
  Value drawn = LLVM::AtomicRMWOp::create(
      b, LLVM::AtomicBinOp::uinc_wrap, op.getCounter(), last,
      LLVM::AtomicOrdering::monotonic, "device");
  Value blocks = arith::IndexCastOp::create(
      b, b.getI32Type(), gpu::GridDimOp::create(b, gpu::Dimension::x));
  d.parts[op.getTask()] = {arith::AddIOp::create(b, drawn, blocks)};
}

//===--- numbers ----------------------------------------------------------===//

/// The i'th number of a slot.
static Value pointerToNumber(Distribution &d, Slot &slot, int64_t i) {
  return d.advance(d.pointerTo(slot.tile()), d.b.getI8Type(), numberBytes * i);
}

/// As what a number lies in its word; those that are no type of memory's take a
/// wider one.
static Type storedType(ImplicitLocOpBuilder &b, Type number) {
  if (number.isIndex())
    return b.getI64Type();
  return number.isInteger(1) ? b.getI32Type() : number;
}

void tile::emitSend(Distribution &d, SendOp op) {
  ImplicitLocOpBuilder &b = d.b;
  Slot slot(d, op.getRing(), op.getPosition());
  auto asStored = [&](Value number) -> Value {
    Type type = storedType(b, number.getType());
    if (number.getType().isIndex())
      return arith::IndexCastOp::create(b, type, number);
    if (number.getType() != type)
      return arith::ExtUIOp::create(b, type, number);
    return number;
  };
  if (!op.getAbout()) {
    slot.waitForRelease();
    for (auto [i, number] : llvm::enumerate(op.getNumbers()))
      LLVM::StoreOp::create(b, asStored(number), pointerToNumber(d, slot, i));
    return arrive(b, slot.arrived());
  }
  // By a whole warp.
  SmallVector<std::pair<Value, Value>> stores;
  for (auto [i, number] : llvm::enumerate(op.getNumbers())) {
    Value stored = asStored(number);
    stores.push_back({stored, pointerToNumber(d, slot, i)});
  }
  Value arrived = slot.arrived();
  inFirstLane(d, [&] {
    for (auto [stored, place] : stores)
      LLVM::StoreOp::create(b, stored, place);
    arrive(b, arrived);
  });
}

/// What is read again must not be kept in registers from the first time. Of a
/// number that may be part of addresses, a reduction tells ptxas that all lanes
/// hold the same.
void tile::emitReceive(Distribution &d, ReceiveOp op) {
  ImplicitLocOpBuilder &b = d.b;
  Slot slot(d, op.getRing(), op.getPosition());
  if (!op.getAgain())
    slot.waitForTile();
  for (auto [place, number] : llvm::zip(op.getPlaces(), op.getNumbers())) {
    Type type = number.getType();
    Value read = LLVM::LoadOp::create(
        b, storedType(b, type), pointerToNumber(d, slot, place),
        /*alignment=*/0, /*isVolatile=*/op.getAgain());
    if (type.isIndex())
      read = arith::IndexCastOp::create(b, type, read);
    else if (type.isInteger(1))
      read = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, read, d.i32(0));
    else if (type.isInteger(32) && !op.getAgain())
      read = NVVM::ReduxOp::create(b, type, read, NVVM::ReduxKind::OR,
                                   d.i32(-1), /*abs=*/false, /*nan=*/false);
    d.parts[number] = {read};
  }
}

//===--- output -----------------------------------------------------------===//

/// A warp writes 16 rows by 16 columns at a time: the four matrices of stmatrix
/// are what its accumulator holds of two blocks of 8 columns, and lane i has
/// the address of row i mod 16, in the left block (lanes 0 to 15) or the right
/// one.
/// Each warp writes its rows of `matrix`, of 16-bit elements, into a tile at
/// `tile` of the ring's layout. Returns where they begin.
static Value storeRowsToTile(Distribution &d, Value matrix, Value tile) {
  ImplicitLocOpBuilder &b = d.b;
  auto type = cast<RankedTensorType>(matrix.getType());
  auto add = [&](Value x, Value y) -> Value {
    return arith::AddIOp::create(b, x, y);
  };
  Value rows =
      add(tile, arith::MulIOp::create(b, d.warpRow, d.i32(chunkRowBytes)));
  Value row = arith::AndIOp::create(b, d.lane, d.i32(15));
  Value own = add(rows, arith::MulIOp::create(b, row, d.i32(chunkRowBytes)));
  Value piece =
      arith::XOrIOp::create(b, arith::ShRUIOp::create(b, d.lane, d.i32(4)),
                            arith::AndIOp::create(b, d.lane, d.i32(7)));
  Fragment words = d.wordsOf(matrix);
  for (int64_t block = 0; block < type.getDimSize(1) / 8; block += 2) {
    Value at = arith::ShLIOp::create(
        b, arith::XOrIOp::create(b, piece, d.i32(block % 8)), d.i32(4));
    Value to = add(own, add(at, d.i32(block / 8 * chunkBytes(type))));
    NVVM::StMatrixOp::create(
        b, d.pointerTo(to), ArrayRef<Value>(words).slice(2 * block, 4),
        NVVM::MMALayout::row,
        NVVM::LdStMatrixShapeAttr::get(b.getContext(), 8, 8),
        NVVM::LdStMatrixEltType::B16);
  }
  fenceForTMA(b);
  return rows;
}

void tile::emitShare(Distribution &d, ShareOp op) {
  Slot slot(d, op.getRing(), op.getPosition());
  Value tile = slot.tile();
  storeRowsToTile(d, op.getTile(), tile);
  d.barrier();
  d.parts[op.getResult()] = {tile};
}

void tile::emitPut(Distribution &d, PutOp op) {
  ImplicitLocOpBuilder &b = d.b;
  Slot slot(d, op.getRing(), op.getPosition());
  slot.waitForRelease();
  Held held(d, cast<RankedTensorType>(op.getTile().getType()));
  Value to =
      d.pointerTo(arith::AddIOp::create(b, slot.tile(), held.firstOfThread()));
  held.store(d.parts.lookup(op.getTile()), to);
}

void tile::emitHandOn(Distribution &d, HandOnOp op) {
  ImplicitLocOpBuilder &b = d.b;
  Slot slot(d, op.getRing(), op.getPosition());
  fenceForTMA(b);
  NVVM::SyncWarpOp::create(b, d.i32(-1));
  Value arrived = slot.arrived();
  inFirstLane(d, [&] { arrive(b, arrived); });
}

void tile::emitAddToMemory(Distribution &d, AddToMemoryOp op) {
  ImplicitLocOpBuilder &b = d.b;
  Slot slot(d, op.getRing(), op.getPosition());
  slot.waitForTile();
  SmallVector<Value> offsets(op.getOffsets());
  offsets.append(3, d.index(0));
  Value to = d.globalPointer(op.getDest(), offsets), from = slot.tile(),
        released = slot.released();
  inFirstLane(d, [&] {
    LLVM::InlineAsmOp::create(
        b, TypeRange(), ValueRange{to, from, d.i32(slot.bytes())},
        "cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 [$0], "
        "[$1], $2;",
        "l,r,r,~{memory}", /*has_side_effects=*/true, /*is_align_stack=*/false,
        LLVM::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr());
    NVVM::CpAsyncBulkCommitGroupOp::create(b);
    NVVM::CpAsyncBulkWaitGroupOp::create(b, 0, /*read=*/b.getUnitAttr());
    arrive(b, released);
  });
}

void tile::emitDrain(Distribution &d, DrainOp op) {
  ImplicitLocOpBuilder &b = d.b;
  RankedTensorType place = cast<RingType>(op.getRing().getType()).getTile();
  int64_t columns =
      cast<RankedTensorType>(op.getTile().getType()).getDimSize(1);
  auto add = [&](Value x, Value y) -> Value {
    return arith::AddIOp::create(b, x, y);
  };
  Slot slot(d, op.getRing(), op.getPosition());
  Value rows = storeRowsToTile(d, op.getTile(), slot.tile());
  NVVM::SyncWarpOp::create(b, d.i32(-1));
  inFirstLane(d, [&] {
    SmallVector<Value> coordinates{Value()};
    for (Value offset : llvm::reverse(op.getOffsets()))
      coordinates.push_back(
          arith::IndexCastOp::create(b, b.getI32Type(), offset));
    coordinates[1] = add(coordinates[1], d.warpRow);
    for (int64_t chunk = 0; chunk * chunkColumns < columns; ++chunk) {
      coordinates[0] = d.i32(chunk * chunkColumns);
      Value from = d.pointerTo(add(rows, d.i32(chunk * chunkBytes(place))));
      NVVM::CpAsyncBulkTensorSharedCTAToGlobalOp::create(
          b, op.getMap(), from, coordinates, /*l2CacheHint=*/Value(),
          NVVM::TMAStoreMode::TILE, /*predicate=*/Value());
    }
    NVVM::CpAsyncBulkCommitGroupOp::create(b);
  });
}

void tile::emitAwaitDrain(Distribution &d, AwaitDrainOp) {
  // The lane that started the copies.
  inFirstLane(d, [&] {
    NVVM::CpAsyncBulkWaitGroupOp::create(d.b, 0, /*read=*/d.b.getUnitAttr());
  });
  // Nor may the others go on to release or write that memory.
  NVVM::SyncWarpOp::create(d.b, d.i32(-1));
}

void tile::emitTakeTurn(Distribution &d, TakeTurnOp) {
  NVVM::BarrierOp::create(
      d.b, TypeRange(), arith::AddIOp::create(d.b, d.warpGroup, d.i32(turns)),
      d.i32(d.threads), NVVM::BarrierReductionAttr(), Value());
}

void tile::emitPassTurn(Distribution &d, PassTurnOp op) {
  ImplicitLocOpBuilder &b = d.b;
  Value other = arith::XOrIOp::create(b, d.warpGroup, d.i32(1));
  Value id = arith::AddIOp::create(b, other, d.i32(turns));
  auto pass = [&] { NVVM::BarrierArriveOp::create(b, id, d.i32(d.threads)); };
  if (!op.getFirst())
    return pass();
  emitIf(b, arith::CmpIOp::create(b, arith::CmpIPredicate::eq, other, d.i32(0)),
         pass);
}
