// The rows of a tensor in which sequences lie one behind another: which
// sequence a row is of, and where in it.
#ifndef ATTN_CONVERSION_ATTNTOLINALG_RAGGEDROWS_H
#define ATTN_CONVERSION_ATTNTOLINALG_RAGGEDROWS_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn {

class RaggedRows {
public:
  /// `tensor`: (1, head, row, channel). `starts`: i32, where sequences begin
  /// and the last ends; null where the tensor has a batch for each.
  RaggedRows(ImplicitLocOpBuilder &builder, Value tensor, Value starts);

  explicit operator bool() const { return !!starts; }
  /// index: the sequence of `row` (index); -1 if it is in none. With starts.
  Value sequenceOf(OpBuilder &b, Location loc, Value row) const;
  /// index: the place of `row` in `sequence`, at least 0. With starts.
  Value positionIn(OpBuilder &b, Location loc, Value sequence, Value row) const;

private:
  Value starts;
  Value owners; ///< index, one for each row
};

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOLINALG_RAGGEDROWS_H
