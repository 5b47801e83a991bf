// Which positions of one axis a run of positions of the other meets: the keys
// that a tile of queries can see, or the queries that can see a tile of keys. A
// few scalar operations, executed once per tile.
#ifndef ATTN_ANALYSIS_VISITBOUNDS_H
#define ATTN_ANALYSIS_VISITBOUNDS_H

#include "attn/Analysis/Intervals.h"

namespace mlir::attn {

/// Inclusive bounds of type index; empty if low > high.
struct PositionRun {
  Value low, high;
};

/// `may`: the positions which the mask keeps with some position of the other
/// axis' run; up to -1 if there is none.
///
/// `must`: the positions which the mask keeps with every one of them.
///
/// Exactly those where they are one run (MaskLogic::hasOneRun); for other masks
/// `may` has more, and `must` fewer. Both lie within the length of their axis.
/// Where the program's arithmetic would wrap, which is tested at run time,
/// `may` is everything and `must` is nothing.
struct VisitBounds {
  PositionRun may, must;
};

/// Emits the bounds on `axis` for the positions first to last, inclusive, of
/// the other axis.
VisitBounds emitVisitBounds(ImplicitLocOpBuilder &builder, MaskLogic &logic,
                            const MaskContext &context, Axis axis, Value first,
                            Value last);

} // namespace mlir::attn

#endif // ATTN_ANALYSIS_VISITBOUNDS_H
