// What of a query, and of a key, an opaque mask depends on: queries of a tile
// that agree in it are one class, and one of them stands for all.
//
// A mask that compares `documents[q]` with `documents[kv]`, or reads
// `table[q / 64, kv / 64]`, knows a query by its document or its block alone.
// What it knows of the position besides, inequalities in most masks, is the
// same for all pairs of most tiles: then the pairs of a tile that differ at all
// are those of a few classes.
#ifndef ATTN_ANALYSIS_POSITIONCLASSES_H
#define ATTN_ANALYSIS_POSITIONCLASSES_H

#include "attn/Analysis/Intervals.h"

namespace mlir::attn {

class PositionClasses {
public:
  explicit PositionClasses(MaskLogic &logic);

  /// Values of the program that are computed from the query (the key) alone and
  /// can be hoisted. Two queries are of one class if all of `ofQuery` are
  /// equal.
  SmallVector<Value> ofQuery, ofKey;

  /// i1 each: whether two queries (keys) of one class may yet differ in the box
  /// in what the mask keeps, and whether two pairs of one distance q - kv may.
  struct Difference {
    Value queries, keys, distances;
  };
  /// Emits it; right as long as the logic's guards hold.
  Difference emitDifference(ImplicitLocOpBuilder &builder,
                            IntervalEmitter &emitter, const Box &box,
                            IntervalEmitter::PartInterval parts);

private:
  class Emitter;

  /// The positions (a set of Position) that `value` depends on other than by
  /// values of the classes.
  unsigned beyondClasses(Value value);

  MaskLogic &logic;
  llvm::DenseMap<Value, unsigned> known;
  /// Whether anything opaque is computed from the distance.
  bool readsDistance = false;
};

} // namespace mlir::attn

#endif // ATTN_ANALYSIS_POSITIONCLASSES_H
