// Which keys a run of queries can see, for masks where these are one run
// (MaskLogic::hasOneRun): a few scalar operations, executed once per query
// tile.
#ifndef ATTN_ANALYSIS_KEYBOUNDS_H
#define ATTN_ANALYSIS_KEYBOUNDS_H

#include "attn/Analysis/Intervals.h"

namespace mlir::attn {

/// Inclusive bounds of type index; empty if low > high.
struct KeyInterval {
  Value low, high;
};

/// `may`: exactly the keys that the mask keeps for some query of the run; up to
/// -1 if there is none.
///
/// `must`: exactly the keys that the mask keeps for every query of the run.
///
/// Both lie within [0, keys). Where the program's arithmetic would wrap, which
/// is tested at run time, `may` is everything and `must` is nothing.
struct KeyBounds {
  KeyInterval may, must;
};

/// Emits the bounds for the queries firstQuery to lastQuery, inclusive.
KeyBounds emitKeyBounds(ImplicitLocOpBuilder &builder, MaskLogic &logic,
                        const MaskContext &context, Value firstQuery,
                        Value lastQuery);

} // namespace mlir::attn

#endif // ATTN_ANALYSIS_KEYBOUNDS_H
