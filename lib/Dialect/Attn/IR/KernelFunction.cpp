// See KernelFunction.h.
#include "attn/Dialect/Attn/IR/KernelFunction.h"

#include "attn/Dialect/Attn/IR/KernelSignature.h"

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

template <typename Op> bool mlir::attn::isKernelFunction(Op op) {
  auto func = dyn_cast<func::FuncOp>(op->getParentOp());
  if (!func || !func.getBody().hasOneBlock())
    return false;
  Block &body = func.getBody().front();
  Operation *terminator = body.getTerminator();
  return &body.front() == op && op->getNextNode() == terminator &&
         terminator->getOperands() == op->getResults() &&
         llvm::all_of(op->getOperands(), llvm::IsaPred<BlockArgument>);
}

bool mlir::attn::isCalled(func::FuncOp func) {
  Operation *table = SymbolTable::getNearestSymbolTable(func->getParentOp());
  return !SymbolTable::symbolKnownUseEmpty(func, table);
}

template <typename Op> bool mlir::attn::canBeDeclared(Op op) {
  llvm::SmallPtrSet<Value, 16> seen;
  return cast<func::FuncOp>(op->getParentOp()).isPrivate() &&
         llvm::all_of(op->getOperands(), [&](Value operand) {
           return seen.insert(operand).second;
         });
}

LogicalResult mlir::attn::checkWholeFunction(Operation *op) {
  auto func = dyn_cast<func::FuncOp>(op->getParentOp());
  if (!func)
    return op->emitOpError() << "expects to be directly inside a function";
  for (Value operand : op->getOperands())
    if (!isa<BlockArgument>(operand))
      return op->emitOpError()
             << "expects every operand to be an argument of the function: it "
                "cannot stand among other operations yet";
  Operation *terminator = func.getBody().front().getTerminator();
  if (&func.getBody().front().front() != op ||
      op->getNextNode() != terminator ||
      terminator->getOperands() != op->getResults())
    return op->emitOpError() << "expects a function that holds nothing else "
                                "and returns its results: it cannot stand "
                                "among other operations yet";
  return success();
}

template <typename Op> LogicalResult mlir::attn::checkKernelFunction(Op op) {
  auto func = dyn_cast<func::FuncOp>(op->getParentOp());
  if (!func)
    return op.emitOpError() << "expects to be directly inside a function";
  if (!hasSchedules(op))
    return op.emitOpError()
           << "expects a schedule: run attn-select-schedule first";
  if (op.getQueryOffset() || op.getLengths())
    return op.emitOpError() << "expects its query offset and lengths to be "
                               "captures: run attn-apply-positions first";
  for (Value operand : op->getOperands())
    if (!isa<BlockArgument>(operand))
      return op.emitOpError()
             << "expects every operand to be an argument of the function: run "
                "attn-outline-attentions first";
  if (!isKernelFunction(op))
    return op.emitOpError() << "expects a function that holds nothing else and "
                               "returns its results: run "
                               "attn-outline-attentions first";
  if (isCalled(func) && !canBeDeclared(op))
    return op.emitOpError()
           << "expects a function that is called to be private, and to have an "
              "argument for each operand: run attn-outline-attentions first";
  if (failed(checkCaptures(op)))
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

/// Says what each argument of a function is that becomes a declaration.
template <typename Op>
static void giveRoles(func::FuncOp func, Op op, ArrayRef<Value> operands,
                      ArrayRef<Role> roles) {
  MLIRContext *context = op.getContext();
  auto give = [&](Value operand, RoleAttr role) {
    if (operand)
      setRole(func, cast<BlockArgument>(operand).getArgNumber(), role);
  };
  for (auto [operand, role] : llvm::zip_equal(operands, roles))
    give(operand, RoleAttr::get(context, role));
  for (auto [capture, role] :
       llvm::zip_equal(op.getCaptures(), captureRolesOf(op)))
    give(capture, role);
}

static SmallVector<RoleAttr> declare(func::FuncOp func, AttentionOp op) {
  giveRoles(func, op,
            {op.getQuery(), op.getKey(), op.getValue(), op.getCuQ(),
             op.getCuK(), op.getPages()},
            {Role::Query, Role::Key, Role::Value, Role::QueryStarts,
             Role::KeyStarts, Role::Pages});
  return {RoleAttr::get(op.getContext(), Role::Out),
          RoleAttr::get(op.getContext(), Role::Lse)};
}

static SmallVector<RoleAttr> declare(func::FuncOp func,
                                     AttentionBackwardOp op) {
  giveRoles(func, op,
            {op.getQuery(), op.getKey(), op.getValue(), op.getOut(),
             op.getLse(), op.getGradOut(), op.getGradLse()},
            {Role::Query, Role::Key, Role::Value, Role::Out, Role::Lse,
             Role::GradOut, Role::GradLse});
  SmallVector<RoleAttr> results;
  for (Role role : {Role::GradQuery, Role::GradKey, Role::GradValue})
    results.push_back(RoleAttr::get(op.getContext(), role));
  for (int64_t capture : op.getWrt())
    results.push_back(
        RoleAttr::get(op.getContext(), Role::GradCapture, capture));
  return results;
}

template <typename Op>
void mlir::attn::replaceByKernels(Op op, ArrayRef<func::FuncOp> kernels) {
  auto func = cast<func::FuncOp>(op->getParentOp());
  if (!isCalled(func)) {
    func.erase();
    return;
  }
  SmallVector<RoleAttr> results = declare(func, op);
  for (unsigned i = 0; i < func.getNumResults(); ++i)
    func.setResultAttr(i, roleName, results[i]);
  SmallVector<Attribute> names;
  for (func::FuncOp kernel : kernels)
    names.push_back(SymbolRefAttr::get(kernel));
  func->setAttr(kernelsName, ArrayAttr::get(op.getContext(), names));
  func.eraseBody();
}

template bool mlir::attn::isKernelFunction(AttentionOp);
template bool mlir::attn::isKernelFunction(AttentionBackwardOp);
template bool mlir::attn::canBeDeclared(AttentionOp);
template bool mlir::attn::canBeDeclared(AttentionBackwardOp);
template void mlir::attn::replaceByKernels(AttentionOp, ArrayRef<func::FuncOp>);
template void mlir::attn::replaceByKernels(AttentionBackwardOp,
                                           ArrayRef<func::FuncOp>);
template LogicalResult mlir::attn::checkKernelFunction(AttentionOp);
template LogicalResult mlir::attn::checkKernelFunction(AttentionBackwardOp);
template SmallVector<RoleAttr> mlir::attn::captureRolesOf(AttentionOp);
template SmallVector<RoleAttr> mlir::attn::captureRolesOf(AttentionBackwardOp);
