// See TileClass.h.
#include "attn/Analysis/TileClass.h"

#include "Zones.h"

using namespace mlir;
using namespace mlir::attn;

namespace {
/// i1: whether some pair may be in a set, and whether one surely is.
struct Existence {
  Value can, does;
};
} // namespace

static Existence emitExistence(ImplicitLocOpBuilder &b, MaskLogic &logic,
                               IntervalEmitter &emitter,
                               const Disjunction &side, const Box &box,
                               IntervalEmitter::PartInterval parts) {
  Emission e(b);
  Existence some{e.bit(false), e.bit(false)};
  for (const Conjunction &all : side) {
    Value feasible = Zone(b, emitter, all, box).isFeasible();
    Existence one{feasible, feasible};
    for (const Literal &literal : all) {
      if (literal.isZone())
        continue;
      Truth truth = emitter.truth(literal, box, parts);
      one.can = e.both(one.can, truth.canHold);
      // The extremes of an inequality are those of corners of the box. Beside
      // other literals one must hold everywhere to leave them as they are.
      bool isAlone = all.size() == 1 && !literal.value;
      one.does =
          e.both(one.does, isAlone ? truth.canHold : e.negation(truth.canFail));
    }
    some.can = e.either(some.can, one.can);
    some.does = e.either(some.does, one.does);
  }
  return some;
}

TileClass mlir::attn::emitTileClass(ImplicitLocOpBuilder &b, MaskLogic &logic,
                                    const MaskContext &context, const Box &box,
                                    IntervalEmitter::PartInterval parts,
                                    PositionClasses *classes) {
  Emission e(b);
  IntervalEmitter emitter(b, logic, context);
  Existence kept = emitExistence(b, logic, emitter, logic.kept, box, parts);
  Existence dropped =
      emitExistence(b, logic, emitter, logic.dropped, box, parts);
  PositionClasses::Difference difference;
  if (classes)
    difference = classes->emitDifference(b, emitter, box, parts);
  Value guards = emitter.guardsHold(), wraps = e.negation(guards);
  if (classes)
    difference = {e.either(difference.queries, wraps),
                  e.either(difference.keys, wraps),
                  e.either(difference.distances, wraps)};
  Value canKeep = e.either(kept.can, wraps);
  Value canDrop = e.either(dropped.can, wraps);
  // Every pair is in one of the two.
  return {canKeep, e.either(e.both(kept.does, guards), e.negation(canDrop)),
          canDrop, e.either(e.both(dropped.does, guards), e.negation(canKeep)),
          difference};
}
