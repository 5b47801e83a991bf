// See ProgramDependence.h.
#include "attn/Analysis/ProgramDependence.h"

#include "attn/Dialect/Attn/IR/ModProgram.h"

#include "mlir/IR/Operation.h"
#include "mlir/IR/Region.h"

using namespace mlir;
using namespace mlir::attn;

ProgramDependence::ProgramDependence(Region &program) : program(program) {
  auto positions = program.front().getArguments().take_back(4);
  batch = positions[0], head = positions[1];
  query = positions[2], key = positions[3];
  known[batch] = BatchPosition, known[head] = HeadPosition;
  known[query] = QueryPosition, known[key] = KeyPosition;
}

unsigned ProgramDependence::of(Value value) {
  auto found = known.find(value);
  if (found != known.end())
    return found->second;
  unsigned positions = NoPosition;
  if (Operation *op = value.getDefiningOp())
    // With what its regions use: all of it lies inside the program.
    op->walk([&](Operation *inner) {
      for (Value operand : inner->getOperands()) {
        Operation *source = operand.getDefiningOp();
        if (!source || !op->isAncestor(source))
          positions |= of(operand);
      }
    });
  return known[value] = positions;
}

bool ProgramDependence::canHoist(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return true;
  // What the program executes for every pair may be executed again.
  bool isSafe = op->getParentRegion() == &program || canSpeculate(op);
  return isSafe && op->getNumRegions() == 0 &&
         llvm::all_of(op->getOperands(),
                      [&](Value operand) { return canHoist(operand); });
}
