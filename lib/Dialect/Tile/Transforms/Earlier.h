// Work that needs nothing of what runs is done before it is awaited.
#ifndef ATTN_DIALECT_TILE_TRANSFORMS_EARLIER_H
#define ATTN_DIALECT_TILE_TRANSFORMS_EARLIER_H

#include "mlir/IR/Operation.h"

namespace mlir::attn::tile {

/// Moves to before `place` what `op`, later in its block, and its regions need
/// and is made between the two: numbers, and tiles without elements. False, and
/// nothing is moved, if they need more. `except`: operands that do not count.
bool moveNeededBefore(Operation *place, Operation *op, ValueRange except = {});

} // namespace mlir::attn::tile

#endif // ATTN_DIALECT_TILE_TRANSFORMS_EARLIER_H
