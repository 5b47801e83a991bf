// What the positions of an attention do to its mod.
#ifndef ATTN_DIALECT_ATTN_TRANSFORMS_POSITIONS_H
#define ATTN_DIALECT_ATTN_TRANSFORMS_POSITIONS_H

#include "attn/Dialect/Attn/IR/AttnDialect.h"

namespace mlir::attn {

/// Lets the programs of `mod` see q + offset instead of q. The offset is a new
/// last capture `query_offset` of `type`: an i32, or a tensor of one for each
/// batch. Mods that `mod` applies are given the sum.
void addQueryOffset(ModOp mod, Type type);

/// Lets the mask of `mod` keep only keys before a length, besides what it says
/// itself. The lengths are a new last capture `lengths` of `type`: a tensor of
/// an i32 for each batch.
void addLengths(ModOp mod, Type type);

} // namespace mlir::attn

#endif // ATTN_DIALECT_ATTN_TRANSFORMS_POSITIONS_H
