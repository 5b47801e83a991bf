// Rows of channels as threads read and write them: a piece of a row each, with
// one access where all rows are aligned for that.
#ifndef ATTN_CONVERSION_ATTNTOFLASH_ROWPIECES_H
#define ATTN_CONVERSION_ATTNTOFLASH_ROWPIECES_H

#include "TileBuilder.h"

namespace mlir::attn {

class RowPieces : TileBuilder {
public:
  /// Of rows of `memories` (batch, head, row, channel), which have the same
  /// element type, in pieces of `width` channels. Emits whether all of their
  /// rows are aligned, which is the same for all threads.
  RowPieces(ImplicitLocOpBuilder &builder, ValueRange memories, int64_t width);

  /// The channels from number `piece` (index) times the width on, of the row at
  /// `row` (batch, head, row); those behind the last are any.
  Value load(Value memory, ValueRange row, Value piece);
  /// Copies such channels from one memory to another.
  void copy(Value from, ValueRange fromRow, Value to, ValueRange toRow,
            Value piece);

private:
  VectorType typeOf(Value memory);
  Value alignmentOf(Value memory, int64_t bytes);
  Value channelAt(Value piece, int64_t i);
  SmallVector<Value> placeIn(ValueRange row, Value channel);
  Value loadAligned(Value memory, ValueRange row, Value piece);
  Value loadApart(Value memory, ValueRange row, Value piece);

  int64_t width;
  Value areAligned; ///< i1; null: never
};

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_ROWPIECES_H
