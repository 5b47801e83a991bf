// See RowPieces.h.
#include "RowPieces.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/Alignment.h"

using namespace mlir;
using namespace mlir::attn;

using Predicate = arith::CmpIPredicate;

static MemRefType memoryOf(Value memory) {
  return cast<MemRefType>(memory.getType());
}

static int64_t bytesOf(Value memory, int64_t width) {
  return width * memoryOf(memory).getElementTypeBitWidth() / 8;
}

RowPieces::RowPieces(ImplicitLocOpBuilder &builder, ValueRange memories,
                     int64_t width)
    : TileBuilder(builder), width(width) {
  for (Value memory : memories)
    if (memoryOf(memory).getShape().back() % width)
      return;
  Value places = index(0);
  for (Value memory : memories)
    places = arith::OrIOp::create(b, places,
                                  alignmentOf(memory, bytesOf(memory, width)));
  areAligned = arith::CmpIOp::create(b, Predicate::eq, places, index(0));
}

/// index: 0 where every row starts at a multiple of `bytes`, a power of two.
Value RowPieces::alignmentOf(Value memory, int64_t bytes) {
  auto whole = memref::ExtractStridedMetadataOp::create(b, memory);
  Value elementBytes = index(bytes / width);
  auto inBytes = [&](Value elements) -> Value {
    return arith::MulIOp::create(b, elements, elementBytes);
  };
  Value all = memref::ExtractAlignedPointerAsIndexOp::create(b, memory);
  all = arith::OrIOp::create(b, all, inBytes(whole.getOffset()));
  for (Value stride : ValueRange(whole.getStrides()).take_front(3))
    all = arith::OrIOp::create(b, all, inBytes(stride));
  return arith::AndIOp::create(b, all, index(bytes - 1));
}

VectorType RowPieces::typeOf(Value memory) {
  return VectorType::get({width}, memoryOf(memory).getElementType());
}

/// index: channel number `i` of a piece.
Value RowPieces::channelAt(Value piece, int64_t i) {
  return arith::AddIOp::create(b, arith::MulIOp::create(b, piece, index(width)),
                               index(i));
}

SmallVector<Value> RowPieces::placeIn(ValueRange row, Value channel) {
  SmallVector<Value> place(row);
  place.push_back(channel);
  return place;
}

Value RowPieces::loadAligned(Value memory, ValueRange row, Value piece) {
  llvm::Align alignment(bytesOf(memory, width));
  return vector::LoadOp::create(b, typeOf(memory), memory,
                                placeIn(row, channelAt(piece, 0)),
                                /*nontemporal=*/false, alignment);
}

/// Element by element; instead of those behind the last, the last.
Value RowPieces::loadApart(Value memory, ValueRange row, Value piece) {
  Value last = index(memoryOf(memory).getShape().back() - 1);
  SmallVector<Value> elements;
  for (int64_t i = 0; i < width; ++i) {
    Value channel = arith::MinUIOp::create(b, channelAt(piece, i), last);
    elements.push_back(
        memref::LoadOp::create(b, memory, placeIn(row, channel)));
  }
  return vector::FromElementsOp::create(b, typeOf(memory), elements);
}

Value RowPieces::load(Value memory, ValueRange row, Value piece) {
  if (!areAligned)
    return loadApart(memory, row, piece);
  return either(
      areAligned, [&] { return loadAligned(memory, row, piece); },
      [&] { return loadApart(memory, row, piece); });
}

void RowPieces::copy(Value from, ValueRange fromRow, Value to, ValueRange toRow,
                     Value piece) {
  auto copyApart = [&] {
    Value channels = index(memoryOf(to).getShape().back());
    for (int64_t i = 0; i < width; ++i) {
      Value channel = channelAt(piece, i);
      Value exists =
          arith::CmpIOp::create(b, Predicate::ult, channel, channels);
      onlyIf(exists, [&] {
        Value element =
            memref::LoadOp::create(b, from, placeIn(fromRow, channel));
        memref::StoreOp::create(b, element, to, placeIn(toRow, channel));
      });
    }
  };
  if (!areAligned)
    return copyApart();
  onlyIf(
      areAligned,
      [&] {
        vector::StoreOp::create(b, loadAligned(from, fromRow, piece), to,
                                placeIn(toRow, channelAt(piece, 0)),
                                /*nontemporal=*/false,
                                llvm::Align(bytesOf(to, width)));
      },
      copyApart);
}
