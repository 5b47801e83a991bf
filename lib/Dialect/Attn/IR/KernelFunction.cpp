// See KernelFunction.h.
#include "attn/Dialect/Attn/IR/KernelFunction.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace mlir::attn;

static LogicalResult checkMod(AttentionOp op) {
  ModOp mod = op.lookupMod();
  if (!mod)
    return success();
  WalkResult result = mod.walk([&](Operation *inner) {
    if (!isa<ApplyScoreOp, ApplyMaskOp>(inner))
      return WalkResult::advance();
    inner->emitOpError() << "expects to be inlined: run attn-inline-mods first";
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

LogicalResult mlir::attn::checkKernelFunction(AttentionOp op) {
  auto func = dyn_cast<func::FuncOp>(op->getParentOp());
  if (!func)
    return op.emitOpError() << "expects to be directly inside a function";
  if (!op.getSchedule())
    return op.emitOpError()
           << "expects a schedule: run attn-select-schedule first";
  for (Value operand : op->getOperands())
    if (!isa<BlockArgument>(operand))
      return op.emitOpError()
             << "expects every operand to be an argument of the function";
  Operation *terminator = func.getBody().front().getTerminator();
  if (&func.getBody().front().front() != op ||
      op->getNextNode() != terminator ||
      terminator->getOperands() != op->getResults())
    return op.emitOpError() << "expects a function that holds nothing else and "
                               "returns its results";
  return checkMod(op);
}
