// Rows that are (query, head) pairs of the heads that share keys: `pack` of
// #attn.schedule.
#ifndef ATTN_CONVERSION_ATTNTOFLASH_PACKEDROWS_H
#define ATTN_CONVERSION_ATTNTOFLASH_PACKEDROWS_H

#include "Visits.h"

namespace mlir::attn {

/// `memory` (batch, head, query, ...) as memory of (batch, key head, query,
/// head among the `group` that share keys, ...): the last two before the
/// channel are the rows of a tile that is `packed`. `group`: index, at least 1.
Value memoryOfPairs(TileBuilder &tiles, Value memory, Value group);

/// The query and the head of each row.
struct RowPairs {
  Value queries, heads; ///< row vectors of i32

  explicit operator bool() const { return static_cast<bool>(queries); }
};

/// Of the rows of `axis`, which has a group, from `firstRow` (index) on;
/// `firstHead` (index) is the first of the group. Rows behind the last one are
/// like it, so that each is a query and a head that exist.
RowPairs pairsOfRows(TileBuilder &tiles, const TiledAxis &axis, Value firstRow,
                     Value firstHead);

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_PACKEDROWS_H
