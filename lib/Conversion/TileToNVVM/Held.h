// Tiles in memory as threads hold them: see tile.reduce_add.
#ifndef ATTN_CONVERSION_TILETONVVM_HELD_H
#define ATTN_CONVERSION_TILETONVVM_HELD_H

#include "Distribution.h"

namespace mlir::attn::tile {

class Held {
public:
  /// Of a matrix of f32, of which a warp has 16 rows.
  Held(Distribution &d, RankedTensorType tile);

  /// Where what the thread holds begins in the tile, bytes, i32.
  Value firstOfThread();
  /// Writes what the thread holds to what begins at `to` for it, and reads it.
  void store(const Fragment &elements, Value to);
  Fragment load(Value from);

private:
  Value pointerTo(Value first, int64_t block);

  Distribution &d;
  ImplicitLocOpBuilder &b;
  int64_t blocks; ///< of 8 columns that a thread has a part of
};

} // namespace mlir::attn::tile

#endif // ATTN_CONVERSION_TILETONVVM_HELD_H
