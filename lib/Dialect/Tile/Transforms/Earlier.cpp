// See Earlier.h.
#include "Earlier.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace {

class NeededBetween {
public:
  NeededBetween(Operation *first, Operation *last) : first(first), last(last) {}

  /// Adds what `value` is made of, in order; false if it is made of more than
  /// numbers.
  bool add(Value value) {
    Operation *definition = value.getDefiningOp();
    if (!definition || definition->getBlock() != first->getBlock() ||
        definition == last || definition->isBeforeInBlock(first) ||
        ops.contains(definition))
      return true;
    if (!isPure(definition) || definition->getNumRegions() != 0 ||
        (!isa<tensor::EmptyOp>(definition) &&
         !llvm::all_of(definition->getResultTypes(),
                       [](Type type) { return type.isIntOrIndexOrFloat(); })))
      return false;
    for (Value operand : definition->getOperands())
      if (!add(operand))
        return false;
    ops.insert(definition);
    return true;
  }

  llvm::SetVector<Operation *> ops;

private:
  Operation *first, *last;
};

} // namespace

bool mlir::attn::tile::moveNeededBefore(Operation *place, Operation *op,
                                        ValueRange except) {
  NeededBetween needed(place, op);
  WalkResult found = op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      if (!llvm::is_contained(except, operand) && !needed.add(operand))
        return WalkResult::interrupt();
    return WalkResult::advance();
  });
  if (found.wasInterrupted())
    return false;
  for (Operation *number : needed.ops)
    number->moveBefore(place);
  return true;
}
