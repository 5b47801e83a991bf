// See KeyBounds.h.
#include "attn/Analysis/KeyBounds.h"

#include "Zones.h"

using namespace mlir;
using namespace mlir::attn;

KeyBounds mlir::attn::emitKeyBounds(ImplicitLocOpBuilder &b, MaskLogic &logic,
                                    const MaskContext &context,
                                    Value firstQuery, Value lastQuery) {
  assert(logic.hasOneRun && "expects a mask whose keys are one run");
  Emission e(b);
  IntervalEmitter emitter(b, logic, context);
  Value zero = e.index(0), one = e.index(1);
  Value lastKey = e.sub(context.keys, one);
  Box box{firstQuery, lastQuery, zero, lastKey};

  KeyInterval may, must{zero, lastKey};
  auto holds = [&](const Conjunction &all) {
    // What depends on no position.
    Value value = e.bit(true);
    for (const Literal &literal : all)
      if (literal.value) {
        Value uniform = emitter.uniform(literal.value);
        value = e.both(value, literal.negated ? e.negation(uniform) : uniform);
      }
    return value;
  };
  for (const Conjunction &all : logic.kept) {
    // Everything is one run, also where there is no key.
    if (all.empty()) {
      may = {zero, lastKey};
      continue;
    }
    Zone zone(b, emitter, all, box);
    Value exists = e.both(zone.isFeasible(), holds(all));
    Interval keys = zone.keys();
    Value low = e.select(exists, keys.low, context.keys);
    Value high = e.select(exists, keys.high, e.index(-1));
    may.low = may.low ? e.min(may.low, low) : low;
    may.high = may.high ? e.max(may.high, high) : high;
  }
  if (logic.kept.empty())
    may = {zero, e.index(-1)};
  for (const Conjunction &all : logic.dropped) {
    Zone zone(b, emitter, all, box);
    Value exists = e.both(zone.isFeasible(), holds(all));
    Interval keys = zone.keys();
    // A run of dropped keys lies at either end.
    if (endsAtLastKey(all))
      must.high =
          e.min(must.high, e.select(exists, e.sub(keys.low, one), lastKey));
    else
      must.low = e.max(must.low, e.select(exists, e.add(keys.high, one), zero));
  }
  Value guards = emitter.guardsHold();
  may = {e.select(guards, may.low, zero), e.select(guards, may.high, lastKey)};
  must.high = e.select(guards, must.high, e.index(-1));
  return {may, must};
}
