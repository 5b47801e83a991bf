// What a mask is bounded through: the operations that intervals have a rule
// for, and the parts that are bounded for each tile beforehand
// (MaskLogic::parts).
#ifndef ATTN_LIB_ANALYSIS_PARTS_H
#define ATTN_LIB_ANALYSIS_PARTS_H

#include "attn/Analysis/MaskLogic.h"
#include "attn/Analysis/ProgramDependence.h"

#include <optional>

namespace mlir::attn {

/// An integer that is a constant, with its sign.
std::optional<int64_t> constantOf(Value value);

/// Whether the interval of a result follows from those of the operands.
bool hasRule(Operation *op);

/// What `value`, of an operation with a rule, is computed from.
SmallVector<Value> sourcesOf(Value value);

/// Whether `value` depends on the query or the key alone, and can be computed
/// for each beforehand.
bool isPart(Value value, ProgramDependence &positions);

/// Fills in `logic.parts`, and remarks on operations that cannot be bounded,
/// for the booleans `opaque`.
void findParts(MaskLogic &logic, ArrayRef<Value> opaque);

} // namespace mlir::attn

#endif // ATTN_LIB_ANALYSIS_PARTS_H
