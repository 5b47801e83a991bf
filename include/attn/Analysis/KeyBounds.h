// Which keys a query tile can see, read off the mask program itself.
//
// The mask program is evaluated over a tile of queries at once: a boolean stands
// for two intervals of keys, those which some query of the tile may keep and
// those which every query of the tile keeps. Integer values are followed as long
// as they are a*q + c*kv + uniform; comparisons of such values are solved for
// kv, and / or / not / select combine intervals. What cannot be followed may
// keep every key and surely keeps none, which is always right.
//
// The result is IR: a few scalar operations, executed once per query tile.
#ifndef ATTN_ANALYSIS_KEYBOUNDS_H
#define ATTN_ANALYSIS_KEYBOUNDS_H

#include "attn/Dialect/Attn/IR/AttnDialect.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn {

/// Inclusive bounds of type index; empty if and only if low > high, and then
/// (keys, -1).
struct KeyInterval {
  Value low, high;
};

/// `may`: contains every key that the mask keeps for any query of the tile.
/// `must`: contains only keys that the mask keeps for every query of the tile.
/// Both lie within [0, keys).
struct KeyBounds {
  KeyInterval may, must;
};

/// What the program's values stand for while it is evaluated for one tile.
struct KeyBoundsContext {
  Value batch, head;           ///< index
  Value firstQuery, lastQuery; ///< index, inclusive, inside the tensor
  Value queries, keys;         ///< index: the lengths
  ValueRange captures;         ///< as the kernel holds them
  /// Emits a read of a captured tensor at in-bounds indices of type i32.
  llvm::function_ref<Value(OpBuilder &, LoadOp, ValueRange indices, Value table)>
      lowerLoad;
};

/// Emits the bounds for `mask`, an inlined mask program; an empty region keeps
/// every key.
KeyBounds emitKeyBounds(ImplicitLocOpBuilder &builder, Region &mask,
                        const KeyBoundsContext &context);

} // namespace mlir::attn

#endif // ATTN_ANALYSIS_KEYBOUNDS_H
