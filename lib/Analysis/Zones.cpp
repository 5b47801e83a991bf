// See Zones.h. Three variables with differences between any two of them: one
// step of closure suffices, since the box is given for q and kv. Over the
// integers of a box q - kv takes every value between its extremes, which makes
// emptiness and projection exact.
#include "Zones.h"

using namespace mlir;
using namespace mlir::attn;

Zone::Zone(ImplicitLocOpBuilder &builder, IntervalEmitter &emitter,
           const Conjunction &all, const Box &box)
    : Emission(builder), box(box), uniformsHold(bit(true)) {
  for (const Literal &literal : all)
    if (literal.isZone())
      constrain(literal.form, emitter.uniformPart(literal.form));
}

/// query * q + key * kv + uniform >= 0
void Zone::constrain(const AffineForm &form, Value uniform) {
  Value opposite = sub(index(0), uniform);
  if (form.query == 0 && form.key == 0)
    uniformsHold = both(uniformsHold, atMost(index(0), uniform));
  else if (form.key == 0 && form.query > 0)
    box.firstQuery = max(box.firstQuery, opposite);
  else if (form.key == 0)
    box.lastQuery = min(box.lastQuery, uniform);
  else if (form.query == 0 && form.key > 0)
    box.firstKey = max(box.firstKey, opposite);
  else if (form.query == 0)
    box.lastKey = min(box.lastKey, uniform);
  else if (form.query > 0)
    differenceLow = differenceLow ? max(differenceLow, opposite) : opposite;
  else
    differenceHigh = differenceHigh ? min(differenceHigh, uniform) : uniform;
}

Value Zone::isFeasible() {
  Value least = sub(box.firstQuery, box.lastKey);
  Value greatest = sub(box.lastQuery, box.firstKey);
  if (differenceLow)
    least = max(least, differenceLow);
  if (differenceHigh)
    greatest = min(greatest, differenceHigh);
  return both(both(uniformsHold, atMost(least, greatest)),
              both(atMost(box.firstQuery, box.lastQuery),
                   atMost(box.firstKey, box.lastKey)));
}

Interval Zone::along(Axis axis) {
  if (axis == Axis::Query) {
    Interval queries{box.firstQuery, box.lastQuery, {}};
    if (differenceLow)
      queries.low = max(queries.low, add(box.firstKey, differenceLow));
    if (differenceHigh)
      queries.high = min(queries.high, add(box.lastKey, differenceHigh));
    return queries;
  }
  Interval keys{box.firstKey, box.lastKey, {}};
  if (differenceHigh)
    keys.low = max(keys.low, sub(box.firstQuery, differenceHigh));
  if (differenceLow)
    keys.high = min(keys.high, sub(box.lastQuery, differenceLow));
  return keys;
}
