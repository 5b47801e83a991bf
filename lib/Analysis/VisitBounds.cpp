// See VisitBounds.h.
#include "attn/Analysis/VisitBounds.h"

#include "Zones.h"

using namespace mlir;
using namespace mlir::attn;

VisitBounds mlir::attn::emitVisitBounds(ImplicitLocOpBuilder &b,
                                        MaskLogic &logic,
                                        const MaskContext &context, Axis axis,
                                        Value first, Value last) {
  Emission e(b);
  IntervalEmitter emitter(b, logic, context);
  Value length = axis == Axis::Key ? context.keys : context.queries;
  Value zero = e.index(0), one = e.index(1);
  Value end = e.sub(length, one);
  Box box = axis == Axis::Key ? Box{first, last, zero, end}
                              : Box{zero, end, first, last};

  PositionRun may, must{zero, end};
  auto isUniform = [&](const Literal &literal) {
    return literal.value && logic.dependence()->isUniform(literal.value) &&
           logic.dependence()->canHoist(literal.value);
  };
  auto holds = [&](const Conjunction &all) {
    // What depends on no position; other values than zones may be anything.
    Value value = e.bit(true);
    for (const Literal &literal : all)
      if (isUniform(literal)) {
        Value uniform = emitter.uniform(literal.value);
        value = e.both(value, literal.negated ? e.negation(uniform) : uniform);
      }
    return value;
  };
  for (const Conjunction &all : logic.kept) {
    // Everything is one run, also where there is nothing.
    if (all.empty()) {
      may = {zero, end};
      continue;
    }
    Zone zone(b, emitter, all, box);
    Value exists = e.both(zone.isFeasible(), holds(all));
    Interval run = zone.along(axis);
    Value low = e.select(exists, run.low, length);
    Value high = e.select(exists, run.high, e.index(-1));
    may.low = may.low ? e.min(may.low, low) : low;
    may.high = may.high ? e.max(may.high, high) : high;
  }
  if (logic.kept.empty())
    may = {zero, e.index(-1)};
  for (const Conjunction &all : logic.dropped) {
    Zone zone(b, emitter, all, box);
    Value exists = e.both(zone.isFeasible(), holds(all));
    Interval run = zone.along(axis);
    // A run of what is dropped lies at either end, or splits what is kept:
    // then the part behind it is the run.
    if (endsAtLast(all, axis))
      must.high = e.min(must.high, e.select(exists, e.sub(run.low, one), end));
    else
      must.low = e.max(must.low, e.select(exists, e.add(run.high, one), zero));
  }
  Value guards = emitter.guardsHold();
  may = {e.select(guards, may.low, zero), e.select(guards, may.high, end)};
  must.high = e.select(guards, must.high, e.index(-1));
  return {may, must};
}
