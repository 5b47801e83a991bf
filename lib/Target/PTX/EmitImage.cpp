// From a lowered gpu.module to an image: PTX, and what a launch must know.
#include "attn/Dialect/Attn/IR/KernelSignature.h"
#include "attn/Target/KernelEntry.h"
#include "attn/Target/PTX/EmitPTX.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
using namespace mlir::attn;
using ::attn::KernelEntry;
using ::attn::KernelImage;

static FailureOr<KernelEntry> entryOf(LLVM::LLVMFuncOp function) {
  FailureOr<KernelEntry> entry = describeKernel(function);
  if (failed(entry))
    return failure();
  auto block =
      function->getAttrOfType<DenseI32ArrayAttr>("gpu.known_block_size");
  if (!block)
    return function.emitOpError() << "expects a kernel with a known block size";
  entry->threads = block[0];
  entry->sharedBytes = sharedBytesOf(function);
  return entry;
}

FailureOr<KernelImage> mlir::attn::emitImage(gpu::GPUModuleOp module) {
  KernelImage image;
  for (auto function : module.getOps<LLVM::LLVMFuncOp>()) {
    if (!function->hasAttr(NVVM::NVVMDialect::getKernelFuncAttrName()))
      continue;
    FailureOr<KernelEntry> entry = entryOf(function);
    if (failed(entry))
      return failure();
    image.entries.push_back(std::move(*entry));
  }
  FailureOr<std::string> ptx = emitPTX(module);
  if (failed(ptx))
    return failure();
  image.code = std::move(*ptx);
  for (Attribute target : module.getTargetsAttr())
    if (auto nvvm = dyn_cast<NVVM::NVVMTargetAttr>(target))
      image.target = nvvm.getChip().str();
  return image;
}
