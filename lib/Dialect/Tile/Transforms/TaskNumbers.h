// What a task's number alone decides: where its rows are, which tiles it
// visits, what it reads once.
#ifndef ATTN_DIALECT_TILE_TRANSFORMS_TASKNUMBERS_H
#define ATTN_DIALECT_TILE_TRANSFORMS_TASKNUMBERS_H

#include "mlir/IR/Block.h"
#include "mlir/IR/Value.h"

namespace mlir::tile {

/// The numbers that follow from the argument of a task's body, and of which the
/// rest of the body uses more than that argument: whoever has them need not
/// compute what they come from. A body is of tiles: no number in it depends on
/// the thread. At most `most` of them: those that are used
/// first.
SmallVector<Value> numbersOfTask(Block &body, size_t most);

} // namespace mlir::tile

#endif // ATTN_DIALECT_TILE_TRANSFORMS_TASKNUMBERS_H
