// Comparisons of positions in the body of an elementwise operation, as bits.
//
// What compares a column with something of its row (kv <= q, q - kv <= 512, the
// end of the keys) holds for all columns of the row before some column, or
// from it on. So it is worked out once for each row of a thread as a word with
// a bit for each element, conditions are combined word by word, and an element
// tests its bit, which costs less than one comparison: the hardware moves
// seven bits at once to predicates.
#ifndef ATTN_CONVERSION_TILETONVVM_POSITIONBITS_H
#define ATTN_CONVERSION_TILETONVVM_POSITIONBITS_H

#include "Distribution.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"

namespace mlir::attn::tile {

class PositionBits {
public:
  /// `body`: of an operation on tiles `columns` wide. Expects that a position,
  /// the sum of an i32 from outside and an index of the tile, is 0 or greater
  /// and does not wrap within the tile; other sums may.
  PositionBits(Distribution &d, Block &body, int64_t columns);

  /// Whether `condition`, an i1 of the body, is made of such comparisons.
  bool covers(Value condition);
  /// `condition` for an element.
  Value test(Value condition, int64_t row, int64_t columnBlock, int64_t c);

private:
  /// The elements of a row in order, 32 in each i32.
  using Words = SmallVector<Value, 2>;

  int columnSlope(Value value);
  bool isPosition(Value value, unsigned dim);
  bool isOfRow(Value value);
  bool readsRow(Value value);
  bool isComparison(arith::CmpIOp op);

  const Words &wordsOf(Value condition, int64_t row);
  Words makeWords(Value condition, int64_t row);
  /// A comparison holds for the first `count` columns from the thread's first
  /// one, or for all others.
  struct Run {
    Value count;
    bool others;
  };
  Run compare(arith::CmpIOp op, int64_t row);
  Words makeWords(Run run);
  Value atRow(Value value, int64_t row);

  Distribution &d;
  ImplicitLocOpBuilder &b;
  Block &body;
  int64_t columns;
  llvm::DenseMap<Value, bool> ofRow, covered;
  llvm::DenseMap<std::pair<Value, int64_t>, Words> words;
  llvm::DenseMap<Value, Run> runs;
  llvm::DenseMap<int64_t, IRMapping> rows;
};

} // namespace mlir::attn::tile

#endif // ATTN_CONVERSION_TILETONVVM_POSITIONBITS_H
