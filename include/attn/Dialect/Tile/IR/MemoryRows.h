// Where the rows of a tile lie in memory: those of one dimension, or of two
// that count as one (`packed` of tile.load).
#ifndef ATTN_DIALECT_TILE_IR_MEMORYROWS_H
#define ATTN_DIALECT_TILE_IR_MEMORYROWS_H

#include "mlir/IR/Builders.h"

namespace mlir::attn::tile {

/// Of what moves a tile, whose `memory` and `offsets` these are.
struct MemoryRows {
  Value memory;
  ValueRange offsets;
  bool packed;

  /// The dimension of the rows; of two, the outer one.
  int64_t dimension() const { return static_cast<int64_t>(offsets.size()) - 1; }
  /// index: how many there are beside the other offsets.
  Value count(OpBuilder &builder, Location loc) const;
  /// The indices of row number `at` (index) of them, without a channel's.
  SmallVector<Value> indicesOf(OpBuilder &builder, Location loc,
                               Value at) const;
};

} // namespace mlir::attn::tile

#endif // ATTN_DIALECT_TILE_IR_MEMORYROWS_H
