// Whether a mask keeps or drops pairs of a tile, as IR.
#ifndef ATTN_ANALYSIS_TILECLASS_H
#define ATTN_ANALYSIS_TILECLASS_H

#include "attn/Analysis/PositionClasses.h"

namespace mlir::attn {

/// i1 each. `can` without `does` is left to an evaluation of the pairs.
struct TileClass {
  Value canKeep, doesKeep; ///< a pair may be kept; a pair is kept
  Value canDrop, doesDrop;
  /// Whether all queries (keys) need a look, or one of each class does, and
  /// whether all pairs of these do, or one of each distance; null where no
  /// classes are given.
  PositionClasses::Difference difference;
};

/// Emits the class of the tile `box`, which is not empty and lies inside the
/// tensors. Never wrong; decided at once if the logic is exact.
TileClass emitTileClass(ImplicitLocOpBuilder &builder, MaskLogic &logic,
                        const MaskContext &context, const Box &box,
                        IntervalEmitter::PartInterval parts,
                        PositionClasses *classes = nullptr);

} // namespace mlir::attn

#endif // ATTN_ANALYSIS_TILECLASS_H
