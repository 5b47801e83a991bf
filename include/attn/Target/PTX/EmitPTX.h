// From a lowered gpu.module to PTX text, with LLVM's NVPTX back end.
#ifndef ATTN_TARGET_PTX_EMITPTX_H
#define ATTN_TARGET_PTX_EMITPTX_H

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

/// attn-translate --attn-to-ptx: the PTX of every gpu.module in a module.
void registerToPTXTranslation();

} // namespace attn
} // namespace mlir

#endif // ATTN_TARGET_PTX_EMITPTX_H
