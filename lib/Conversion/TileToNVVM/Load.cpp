// tile.load: global memory to registers, each thread its own elements. What is
// outside of the memory is zero; its neighbour inside is read instead.
#include "Distribution.h"
#include "QuadPieces.h"

#include "attn/Dialect/Tile/IR/MemoryRows.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::attn::tile;

namespace {

class ThreadLoad {
public:
  ThreadLoad(Distribution &d, LoadOp op)
      : d(d), b(d.b), op(op),
        memory(cast<MemRefType>(op.getSource().getType())),
        type(cast<RankedTensorType>(op.getType())) {}

  Fragment emit() { return type.getRank() == 1 ? emitVector() : emitMatrix(); }

private:
  Fragment emitVector() {
    Fragment elements;
    for (int64_t i = 0, e = d.fragmentSize(type); i < e; ++i) {
      Place place =
          placeOf(isOfColumns(type) ? d.column(i / 2, i % 2) : d.row(i));
      elements.push_back(
          orZero(place.exists,
                 memref::LoadOp::create(b, op.getSource(), place.position)));
    }
    return elements;
  }

  Fragment emitMatrix() {
    int64_t columns = type.getDimSize(1);
    Fragment elements(d.fragmentSize(type));
    for (int64_t i = 0; i < 2 * d.blocks; ++i) {
      Place place = placeOf(d.row(i));
      auto put = [&](int64_t block, Value low, Value high) {
        int64_t at = d.elementIndex(columns, i / 2, block, i % 2 * 2);
        elements[at] = low, elements[at + 1] = high;
      };
      int64_t inPieces = blocksInPieces(d, type, memory);
      for (int64_t first = 0; first < inPieces; first += 4)
        for (auto [j, word] : llvm::enumerate(
                 dealToQuad(d, d.quadColumn, loadPiece(place, first)))) {
          Value pair = LLVM::BitcastOp::create(
              b, VectorType::get({2}, type.getElementType()), word);
          put(first + j, vector::ExtractOp::create(b, pair, 0),
              vector::ExtractOp::create(b, pair, 1));
        }
      for (int64_t block = inPieces; block < columns / 8; ++block) {
        SmallVector<Value, 2> pair = loadPair(place, block);
        put(block, pair[0], pair[1]);
      }
    }
    return elements;
  }

  /// Where a row, or an element of a vector, lies.
  struct Place {
    SmallVector<Value> position;
    Value exists; ///< i1
  };

  /// `i` (index) is added to the last offset.
  Place placeOf(Value i) {
    MemoryRows rows{op.getSource(), op.getOffsets(), op.getPacked()};
    Value size = rows.count(b, b.getLoc());
    Value at = arith::AddIOp::create(b, op.getOffsets().back(), i);
    Value last = arith::SubIOp::create(b, size, d.index(1));
    Value exists =
        arith::CmpIOp::create(b, arith::CmpIPredicate::slt, at, size);
    Value inside = arith::MinSIOp::create(b, at, last);
    return {rows.indicesOf(b, b.getLoc(), inside), exists};
  }

  /// The words of the lane's own block of four, the first of which is `first`.
  Fragment loadPiece(Place place, int64_t first) {
    place.position.push_back(arith::AddIOp::create(
        b, d.index(8 * first),
        arith::IndexCastOp::create(
            b, b.getIndexType(),
            arith::MulIOp::create(b, d.quadColumn, d.i32(8)))));
    Value four = LLVM::LoadOp::create(
        b, VectorType::get({4}, b.getI32Type()),
        d.globalPointer(op.getSource(), place.position), pieceBytes);
    Fragment words;
    for (int64_t i = 0; i < 4; ++i)
      words.push_back(arith::SelectOp::create(
          b, place.exists, vector::ExtractOp::create(b, four, i), d.i32(0)));
    return words;
  }

  /// The thread's two elements of 8 columns.
  SmallVector<Value, 2> loadPair(Place place, int64_t block) {
    int64_t channels = memory.getShape().back();
    if (8 * block >= channels)
      return SmallVector<Value, 2>(2, zero());
    // An even channel count has no pair that is cut.
    if (d.isAligned && channels % 2 == 0) {
      Channel pair = channelOf(place, block, 0, channels - 2);
      place.position.push_back(pair.position);
      Value both = vector::LoadOp::create(
          b, VectorType::get({2}, type.getElementType()), op.getSource(),
          place.position, /*nontemporal=*/false,
          llvm::Align(type.getElementTypeBitWidth() / 4));
      return {orZero(pair.exists, vector::ExtractOp::create(b, both, 0)),
              orZero(pair.exists, vector::ExtractOp::create(b, both, 1))};
    }
    SmallVector<Value, 2> elements;
    for (int64_t c : {0, 1}) {
      Channel channel = channelOf(place, block, c, channels - 1);
      place.position.push_back(channel.position);
      elements.push_back(
          orZero(channel.exists,
                 memref::LoadOp::create(b, op.getSource(), place.position)));
      place.position.pop_back();
    }
    return elements;
  }

  struct Channel {
    Value position; ///< index: at most `last`
    Value exists;   ///< i1
  };

  Channel channelOf(const Place &place, int64_t block, int64_t c,
                    int64_t last) {
    Value position = d.column(block, c);
    if (8 * block + 7 < memory.getShape().back())
      return {position, place.exists};
    Value inside = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, position,
                                         d.index(memory.getShape().back()));
    return {arith::MinSIOp::create(b, position, d.index(last)),
            arith::AndIOp::create(b, place.exists, inside)};
  }

  Value zero() {
    return arith::ConstantOp::create(b, b.getZeroAttr(type.getElementType()));
  }
  Value orZero(Value exists, Value element) {
    return arith::SelectOp::create(b, exists, element, zero());
  }

  Distribution &d;
  ImplicitLocOpBuilder &b;
  LoadOp op;
  MemRefType memory;
  RankedTensorType type;
};

} // namespace

void mlir::attn::tile::emitLoad(Distribution &d, LoadOp op) {
  d.parts[op.getResult()] = ThreadLoad(d, op).emit();
}
