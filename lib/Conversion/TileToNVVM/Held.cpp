// See the header. Also tile.load and tile.store of such memory.
#include "Held.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

/// Threads of a group of four warps, the numbers of one for 8 columns, and the
/// bytes of all.
static constexpr int64_t groupThreads = 128, numbers = 4,
                         numberBytes = numbers * 4,
                         blockBytes = groupThreads * numberBytes;

Held::Held(Distribution &d, RankedTensorType tile)
    : d(d), b(d.b), blocks(d.columnsHeld(tile) / 8) {}

Value Held::firstOfThread() {
  auto times = [&](Value x, int64_t factor) -> Value {
    return arith::MulIOp::create(b, x, d.i32(factor));
  };
  Value group = arith::DivUIOp::create(b, d.thread, d.i32(groupThreads));
  Value inGroup = arith::RemUIOp::create(b, d.thread, d.i32(groupThreads));
  return arith::AddIOp::create(b, times(group, blocks * blockBytes),
                               times(inGroup, numberBytes));
}

Value Held::pointerTo(Value first, int64_t block) {
  return d.advance(first, b.getI8Type(), block * blockBytes);
}

void Held::store(const Fragment &elements, Value to) {
  auto type = VectorType::get({numbers}, b.getF32Type());
  for (int64_t block = 0; block < blocks; ++block) {
    Value four = vector::FromElementsOp::create(
        b, type, ArrayRef<Value>(elements).slice(numbers * block, numbers));
    LLVM::StoreOp::create(b, four, pointerTo(to, block), numberBytes);
  }
}

Fragment Held::load(Value from) {
  auto type = VectorType::get({numbers}, b.getF32Type());
  Fragment elements;
  for (int64_t block = 0; block < blocks; ++block) {
    Value four =
        LLVM::LoadOp::create(b, type, pointerTo(from, block), numberBytes);
    for (int64_t i = 0; i < numbers; ++i)
      elements.push_back(vector::ExtractOp::create(b, four, i));
  }
  return elements;
}

/// What the thread holds of the tile that `offsets` name.
static Value ownOf(Distribution &d, Held &held, Value memory,
                   ValueRange offsets) {
  SmallVector<Value> position(offsets);
  position.append(3, d.index(0));
  Value tile = d.globalPointer(memory, position);
  return LLVM::GEPOp::create(d.b, tile.getType(), d.b.getI8Type(), tile,
                             ValueRange{held.firstOfThread()});
}

void tile::emitHeldLoad(Distribution &d, LoadOp op) {
  Held held(d, cast<RankedTensorType>(op.getType()));
  d.parts[op.getResult()] =
      held.load(ownOf(d, held, op.getSource(), op.getOffsets()));
}

void tile::emitHeldStore(Distribution &d, StoreOp op) {
  Held held(d, cast<RankedTensorType>(op.getTile().getType()));
  held.store(d.parts.lookup(op.getTile()),
             ownOf(d, held, op.getDest(), op.getOffsets()));
}
