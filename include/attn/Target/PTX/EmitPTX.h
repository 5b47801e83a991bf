// From a lowered gpu.module to PTX text, with LLVM's NVPTX back end.
#ifndef ATTN_TARGET_PTX_EMITPTX_H
#define ATTN_TARGET_PTX_EMITPTX_H

#include "attn/Runtime/KernelImage.h"

#include "mlir/Support/LLVM.h"

#include <string>

namespace mlir {
namespace gpu {
class GPUModuleOp;
}

namespace attn {

/// `module` holds the llvm and nvvm dialects only, and has a target
/// (attn-attach-gpu-target). Diagnoses what fails.
FailureOr<std::string> emitPTX(gpu::GPUModuleOp module);

/// The same with what a launch must know of the kernels in it, each with its
/// signature (attn-record-signatures). Diagnoses what fails, and a kernel
/// without a signature.
FailureOr<::attn::KernelImage> emitImage(gpu::GPUModuleOp module);

/// attn-translate --attn-to-ptx: the PTX of every gpu.module in a module;
/// --attn-to-image: the image of the one gpu.module.
void registerToPTXTranslation();

} // namespace attn
} // namespace mlir

#endif // ATTN_TARGET_PTX_EMITPTX_H
