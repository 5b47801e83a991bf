// See KernelFunction.h.
#include "attn/Dialect/Attn/IR/KernelFunction.h"

#include "attn/Dialect/Attn/IR/KernelSignature.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace mlir::attn;
using ::attn::Role;

template <typename Op> static LogicalResult checkMod(Op op) {
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

/// Each capture has another role.
template <typename Op> static LogicalResult checkCaptures(Op op) {
  llvm::SmallPtrSet<Attribute, 8> seen;
  for (RoleAttr role : captureRolesOf(op))
    if (!::attn::isCaptured(role.getRole()) || !seen.insert(role).second)
      return op.emitOpError() << "expects captures whose arguments have no "
                                 "role, or each another one as a capture, got "
                              << role;
  return success();
}

static bool hasSchedules(AttentionOp op) {
  return op.getSchedule().has_value();
}
static bool hasSchedules(AttentionBackwardOp op) {
  return op.getSchedule() && op.getKeySchedule();
}

LogicalResult mlir::attn::checkWholeFunction(Operation *op) {
  auto func = dyn_cast<func::FuncOp>(op->getParentOp());
  if (!func)
    return op->emitOpError() << "expects to be directly inside a function";
  for (Value operand : op->getOperands())
    if (!isa<BlockArgument>(operand))
      return op->emitOpError()
             << "expects every operand to be an argument of the function";
  Operation *terminator = func.getBody().front().getTerminator();
  if (&func.getBody().front().front() != op ||
      op->getNextNode() != terminator ||
      terminator->getOperands() != op->getResults())
    return op->emitOpError() << "expects a function that holds nothing else "
                                "and returns its results";
  return success();
}

template <typename Op> LogicalResult mlir::attn::checkKernelFunction(Op op) {
  if (!isa<func::FuncOp>(op->getParentOp()))
    return op.emitOpError() << "expects to be directly inside a function";
  if (!hasSchedules(op))
    return op.emitOpError()
           << "expects a schedule: run attn-select-schedule first";
  if (op.getQueryOffset() || op.getLengths())
    return op.emitOpError() << "expects its query offset and lengths to be "
                               "captures: run attn-apply-positions first";
  if (failed(checkWholeFunction(op)) || failed(checkCaptures(op)))
    return failure();
  return checkMod(op);
}

template <typename Op> SmallVector<RoleAttr> mlir::attn::captureRolesOf(Op op) {
  SmallVector<RoleAttr> roles;
  for (Value capture : op.getCaptures()) {
    RoleAttr own = roleOf(cast<BlockArgument>(capture));
    roles.push_back(own ? own
                        : RoleAttr::get(op.getContext(), Role::Capture,
                                        static_cast<int64_t>(roles.size())));
  }
  return roles;
}

template LogicalResult mlir::attn::checkKernelFunction(AttentionOp);
template LogicalResult mlir::attn::checkKernelFunction(AttentionBackwardOp);
template SmallVector<RoleAttr> mlir::attn::captureRolesOf(AttentionOp);
template SmallVector<RoleAttr> mlir::attn::captureRolesOf(AttentionBackwardOp);
