// Says in a gpu.module which chip it is for, so that whoever emits code for it
// need not be told. See AttnAttachGPUTargetPass in Passes.td.
#include "attn/Dialect/Attn/Transforms/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

namespace mlir::attn {
#define GEN_PASS_DEF_ATTNATTACHGPUTARGETPASS
#include "attn/Dialect/Attn/Transforms/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;

namespace {
struct AttachGPUTarget
    : mlir::attn::impl::AttnAttachGPUTargetPassBase<AttachGPUTarget> {
  using Base::Base;

  void runOnOperation() override {
    bool hopper = target == "sm90a";
    if (!hopper && target != "sm80") {
      getOperation().emitError()
          << "expects 'target' sm80 or sm90a, got '" << target << "'";
      return signalPassFailure();
    }
    WalkResult found = getOperation().walk([&](NVVM::GriddepcontrolOp op) {
      if (hopper)
        return WalkResult::skip();
      op.emitError() << "expects 'target' sm90a for kernels that begin before "
                        "the one ahead ends ('dependent')";
      return WalkResult::interrupt();
    });
    if (found.wasInterrupted())
      return signalPassFailure();
    // Tensor copies as LLVM writes them are of PTX 8.6.
    auto attribute = NVVM::NVVMTargetAttr::get(
        &getContext(), /*optLevel=*/3, "nvptx64-nvidia-cuda",
        hopper ? "sm_90a" : "sm_80", hopper ? "+ptx86" : "+ptx80");
    for (auto module : getOperation().getOps<gpu::GPUModuleOp>())
      if (!module.getTargetsAttr())
        module.setTargetsAttr(ArrayAttr::get(&getContext(), {attribute}));
  }
};
} // namespace
