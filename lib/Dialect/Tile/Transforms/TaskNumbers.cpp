// See the header.
#include "TaskNumbers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

/// Reading counts as computing: what a kernel reads once for a task, nobody
/// writes meanwhile.
static bool computesNumbers(Operation &op) {
  auto isNumber = [](Type type) { return type.isIntOrIndexOrFloat(); };
  if (op.getNumResults() == 0 || !llvm::all_of(op.getResultTypes(), isNumber))
    return false;
  std::optional<SmallVector<MemoryEffects::EffectInstance>> effects =
      getEffectsRecursively(&op);
  return effects && llvm::all_of(*effects, [](auto &effect) {
           return isa<MemoryEffects::Read>(effect.getEffect());
         });
}

/// Values of `block` that an operation in it uses, itself or in a region.
static SmallVector<Value> valuesUsedFrom(Block &block, Operation &op) {
  SmallVector<Value> used;
  op.walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      if (operand.getParentBlock() == &block)
        used.push_back(operand);
  });
  return used;
}

SmallVector<Value> tile::numbersOfTask(Block &body, size_t most) {
  llvm::DenseMap<Value, bool> computed; // does it follow from the task?
  computed[body.getArgument(0)] = true;
  llvm::SetVector<Value> needed;
  for (Operation &op : body) {
    SmallVector<Value> used = valuesUsedFrom(body, op);
    if (computesNumbers(op) &&
        llvm::all_of(used, [&](Value v) { return computed.count(v); })) {
      bool follows =
          llvm::any_of(used, [&](Value v) { return computed.lookup(v); });
      for (Value result : op.getResults())
        computed[result] = follows;
      continue;
    }
    for (Value value : used) {
      if (!computed.lookup(value))
        continue;
      while (auto cast = value.getDefiningOp<arith::IndexCastOp>())
        value = cast.getIn();
      if (value != body.getArgument(0))
        needed.insert(value);
    }
  }
  SmallVector<Value> numbers = needed.takeVector();
  if (numbers.size() > most)
    numbers.truncate(most);
  return numbers;
}
