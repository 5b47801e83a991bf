// Other chips than a gpu.module names. See EmitPTX.h.
#include "attn/Runtime/Chip.h"
#include "attn/Target/PTX/EmitPTX.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;
using ::attn::Chip;

/// Whether what was lowered for `from` can be made code for `to`.
static bool runsOn(StringRef from, StringRef to) {
  std::optional<Chip> made = Chip::named(from), wanted = Chip::named(to);
  return made && wanted && (made->only ? from == to : made->hasPTXFor(*wanted));
}

LogicalResult mlir::attn::retarget(gpu::GPUModuleOp kernels, StringRef chip,
                                   StringRef features) {
  if (chip.empty() && features.empty())
    return success();
  StringRef oldChip, oldFeatures;
  if (ArrayAttr targets = kernels.getTargetsAttr())
    for (Attribute target : targets)
      if (auto old = dyn_cast<NVVM::NVVMTargetAttr>(target))
        oldChip = old.getChip(), oldFeatures = old.getFeatures();
  if (chip.empty())
    chip = oldChip;
  if (chip.empty())
    return kernels.emitOpError() << "expects a chip with --features";
  if (!oldChip.empty() && !runsOn(oldChip, chip))
    return kernels.emitOpError() << "expects a chip that runs code for "
                                 << oldChip << ", got '" << chip << "'";
  MLIRContext *context = kernels.getContext();
  context->loadDialect<NVVM::NVVMDialect>();
  auto target = NVVM::NVVMTargetAttr::get(
      context, /*optLevel=*/3, "nvptx64-nvidia-cuda", chip,
      features.empty() ? oldFeatures : features);
  kernels.setTargetsAttr(ArrayAttr::get(context, {target}));
  // Operations that the chip does not have.
  return verify(kernels);
}
