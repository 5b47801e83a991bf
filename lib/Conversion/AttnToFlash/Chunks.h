// Tasks that do a part of a query tile's visits each, which ends where that
// tile alone says (Tiling::chunk): what becomes of a sequence does not depend
// on what else is in the batch.
//
// Each query tile has as many slots for its parts; the tiles are in the order
// of their query tile, batch and head, as those of Shares.h.
#ifndef ATTN_CONVERSION_ATTNTOFLASH_CHUNKS_H
#define ATTN_CONVERSION_ATTNTOFLASH_CHUNKS_H

#include "ForwardTasks.h"

namespace mlir::attn {

/// All values are of type index.
class Chunks : TileBuilder {
public:
  /// `slots`: those that there is memory for.
  Chunks(ImplicitLocOpBuilder &builder, ForwardTasks &tasks, Value slots,
         int64_t chunk);

  /// Query tiles of all batches and heads, and the slots of each.
  Value owners, slotsOfEach;

  /// How many visits each part has but the last, and how many parts there are,
  /// of one that has these visits: at least one.
  Value sizeOf(const Visits &visits);
  Value countOf(const Visits &visits);

private:
  Value lengthOf(const Visits &visits);

  int64_t chunk;
};

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_CHUNKS_H
