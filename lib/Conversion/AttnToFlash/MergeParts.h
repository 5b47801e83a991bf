// The kernel behind one of shares or chunks (Tiling): results of the query
// tiles of which several tasks did a part each.
#ifndef ATTN_CONVERSION_ATTNTOFLASH_MERGEPARTS_H
#define ATTN_CONVERSION_ATTNTOFLASH_MERGEPARTS_H

#include "ForwardTasks.h"

namespace mlir::attn {

/// Emits everything but the return at the builder's insertion point: a task
/// for each query tile, or share where these are fewer, row that a tile may
/// have and 4 channels.
void buildMergeParts(ImplicitLocOpBuilder &builder, AttentionOp op,
                     const FlashOperands &operands);

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_MERGEPARTS_H
