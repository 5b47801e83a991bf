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

struct PTXOptions {
  std::string chip = "sm_80";
  std::string features = "+ptx80";
};

/// What the kernels of a `target` of attn-gpu-pipeline need.
PTXOptions ptxOptionsFor(llvm::StringRef target);

/// `module` holds the llvm and nvvm dialects only. Diagnoses what fails.
FailureOr<std::string> emitPTX(gpu::GPUModuleOp module,
                               const PTXOptions &options);

/// attn-translate --attn-to-ptx: the PTX of every gpu.module in a module.
void registerToPTXTranslation();

} // namespace attn
} // namespace mlir

#endif // ATTN_TARGET_PTX_EMITPTX_H
