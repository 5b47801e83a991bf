// check-lowered: the last word of a pipeline on what it could not lower, with
// the place in the user's file, before later passes and tools say the same in
// terms of their own.
#include "attn/Conversion/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/BuiltinOps.h"

namespace mlir::attn {
#define GEN_PASS_DEF_CHECKLOWEREDPASS
#include "attn/Conversion/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;

/// Whether `op` is part of what is translated to LLVM IR, or holds it.
static bool isLowered(Operation *op) {
  return isa<ModuleOp, UnrealizedConversionCastOp, gpu::GPUModuleOp>(op) ||
         isa_and_nonnull<LLVM::LLVMDialect, NVVM::NVVMDialect>(
             op->getDialect());
}

/// Where `op` is in the user's file. A constant that a canonicalisation made
/// has no place of its own: it is named where it is used.
static Location placeOf(Operation *op) {
  auto isKnown = [](Operation *op) { return !isa<UnknownLoc>(op->getLoc()); };
  if (isKnown(op))
    return op->getLoc();
  for (Operation *user : op->getUsers())
    if (isKnown(user))
      return user->getLoc();
  while (Operation *parent = op->getParentOp()) {
    op = parent;
    if (isKnown(op))
      break;
  }
  return op->getLoc();
}

/// A GPU's code is not linked with anything.
static LogicalResult checkCall(LLVM::CallOp call) {
  auto module = call->getParentOfType<gpu::GPUModuleOp>();
  std::optional<StringRef> callee = call.getCallee();
  if (!module || !callee)
    return success();
  auto function = module.lookupSymbol<LLVM::LLVMFuncOp>(*callee);
  if (function && !function.isExternal())
    return success();
  return mlir::emitError(placeOf(call))
         << "there is no GPU code for '" << *callee << "'";
}

namespace {
struct CheckLowered
    : public mlir::attn::impl::CheckLoweredPassBase<CheckLowered> {
  void runOnOperation() override {
    // All of them: a user mends them at once.
    bool failed = false;
    getOperation()->walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (!isLowered(op)) {
        mlir::emitError(placeOf(op))
            << "'" << op->getName() << "' op cannot be lowered for this target";
        failed = true;
        return WalkResult::skip();
      }
      if (auto call = dyn_cast<LLVM::CallOp>(op))
        failed |= mlir::failed(checkCall(call));
      return WalkResult::advance();
    });
    if (failed)
      signalPassFailure();
  }
};
} // namespace
