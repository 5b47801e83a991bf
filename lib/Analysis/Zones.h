// The integer points of a box that fulfil inequalities on q, on kv and on q -
// kv.
#ifndef ATTN_LIB_ANALYSIS_ZONES_H
#define ATTN_LIB_ANALYSIS_ZONES_H

#include "Emission.h"
#include "attn/Analysis/Intervals.h"

namespace mlir::attn {

/// IR about the zone literals of one conjunction; the others are left out.
class Zone : Emission {
public:
  Zone(ImplicitLocOpBuilder &builder, IntervalEmitter &emitter,
       const Conjunction &all, const Box &box);

  /// i1: whether there is a point. Exact.
  Value isFeasible();
  /// The positions on `axis` of all points, if there are points: each from low
  /// to high is one of them. Exact.
  Interval along(Axis axis);

private:
  void constrain(const AffineForm &form, Value uniform);

  Box box;
  Value differenceLow, differenceHigh; ///< of q - kv; null without a limit
  Value uniformsHold;
};

} // namespace mlir::attn

#endif // ATTN_LIB_ANALYSIS_ZONES_H
