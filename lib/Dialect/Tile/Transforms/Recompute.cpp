// See the header.
#include "Recompute.h"

using namespace mlir;
using namespace mlir::attn;

Value tile::recompute(OpBuilder &b, Value value, Region &from,
                      IRMapping &mapping) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  if (!from.isAncestor(value.getParentRegion()))
    return value;
  Operation *definition = value.getDefiningOp();
  if (!definition)
    return Value();
  WalkResult result = definition->walk([&](Operation *op) {
    for (Value operand : op->getOperands()) {
      if (definition->isAncestor(operand.getParentBlock()->getParentOp()))
        continue;
      Value made = recompute(b, operand, from, mapping);
      if (!made)
        return WalkResult::interrupt();
      mapping.map(operand, made);
    }
    return WalkResult::advance();
  });
  if (result.wasInterrupted())
    return Value();
  b.clone(*definition, mapping);
  return mapping.lookup(value);
}
