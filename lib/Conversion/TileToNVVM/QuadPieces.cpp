// See the header.
#include "QuadPieces.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

int64_t tile::blocksInPieces(const Distribution &d, RankedTensorType tile,
                             MemRefType memory) {
  if (!d.isAligned || memory.getElementTypeBitWidth() != 16)
    return 0;
  int64_t columns = std::min(tile.getDimSize(1), memory.getShape().back());
  return columns / quadColumns * 4;
}

/// Transposes the four by four words, halves first and then neighbours: a lane
/// gives away what belongs to the other side.
Fragment tile::dealToQuad(Distribution &d, Value inQuad,
                          ArrayRef<Value> words) {
  ImplicitLocOpBuilder &b = d.b;
  Fragment dealt(words);
  for (int64_t distance : {2, 1}) {
    Value side = arith::CmpIOp::create(
        b, arith::CmpIPredicate::ne,
        arith::AndIOp::create(b, inQuad, d.i32(distance)), d.i32(0));
    for (int64_t i = 0; i < 4; ++i) {
      if (i & distance)
        continue;
      Value &low = dealt[i], &high = dealt[i + distance];
      Value other =
          d.shuffleXor(arith::SelectOp::create(b, side, low, high), distance);
      Value newLow = arith::SelectOp::create(b, side, other, low);
      high = arith::SelectOp::create(b, side, high, other);
      low = newLow;
    }
  }
  return dealt;
}
