// Tensors in which sequences lie one behind another, and the tiles of those.
#ifndef ATTN_CONVERSION_ATTNTOFLASH_SEQUENCES_H
#define ATTN_CONVERSION_ATTNTOFLASH_SEQUENCES_H

#include "TileBuilder.h"

#include <utility>

namespace mlir::attn {

/// The rows of one sequence in a tensor (batch, head, row, ...).
struct SequenceRows {
  Value batch; ///< index: where in the first dimension
  Value first; ///< index: its first row; null: the tensor's

  /// index: where in the tensor its row number `row` (index) is.
  Value at(TileBuilder &tiles, Value row) const;
  /// A view of its `length` (index) rows of `memory` alone.
  Value of(TileBuilder &tiles, Value memory, Value length) const;
};

/// The first row of sequence number `sequence` (index), and how many it has, of
/// the `rows` (index) of a tensor. `starts`: i32, of any values; what they say
/// of a sequence is moved into the tensor.
std::pair<SequenceRows, Value> rowsOfSequence(TileBuilder &tiles, Value starts,
                                              Value rows, Value sequence);

/// How many tasks do all tiles of `tile` rows of all sequences, and for each
/// sequence at most one that has no rows: known from the sizes alone. Task
/// numbers from floor(starts[i] / tile) + i on are sequence i's.
Value countSequenceTiles(TileBuilder &tiles, Value starts, Value rows,
                         int64_t tile);

/// The sequence of task number `task` (index), and the tile in it, which begins
/// at or behind its end if the task has no rows.
std::pair<Value, Value> sequenceTileAt(TileBuilder &tiles, Value starts,
                                       Value rows, int64_t tile, Value task);

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_SEQUENCES_H
