// Values of one part of a program, made again in another part.
#ifndef ATTN_DIALECT_TILE_TRANSFORMS_RECOMPUTE_H
#define ATTN_DIALECT_TILE_TRANSFORMS_RECOMPUTE_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

namespace mlir::attn::tile {

/// `value`, of the region `from`, where `b` is: what computes it there is
/// cloned with all that it needs, in the order in which it is needed. What
/// `mapping` knows is not made again, and it learns what is. Null if the value
/// depends on an argument of a block in `from` of which the mapping does not
/// know.
Value recompute(OpBuilder &b, Value value, Region &from, IRMapping &mapping);

} // namespace mlir::attn::tile

#endif // ATTN_DIALECT_TILE_TRANSFORMS_RECOMPUTE_H
