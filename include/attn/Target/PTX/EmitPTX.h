// From a lowered gpu.module to PTX text, with LLVM's NVPTX back end.
#ifndef ATTN_TARGET_PTX_EMITPTX_H
#define ATTN_TARGET_PTX_EMITPTX_H

#include "attn/Runtime/KernelImage.h"

#include "mlir/Support/LLVM.h"

#include "llvm/Support/Error.h"

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

/// Has `module` made for `chip` with `features`, where one of them is given
/// (not empty). Diagnoses a chip that does not run what the module was lowered
/// for.
LogicalResult retarget(gpu::GPUModuleOp module, StringRef chip,
                       StringRef features);

/// Makes the PTX of `image` a cubin by ptxas, which is `program`: a path, or a
/// name on the PATH or of the toolkit (/usr/local/cuda). Errors: there is none;
/// what it says.
llvm::Error assembleImage(::attn::KernelImage &image, StringRef program);

/// A ptxas of this machine.
struct Assembler {
  std::string path;
  /// Differs for another program at the same place: its size and age.
  std::string identity;
};

/// The one that ATTN_PTXAS names (`off`: none), or else one on the PATH or of
/// the toolkit; nothing if there is none.
std::optional<Assembler> findAssembler();

} // namespace attn
} // namespace mlir

#endif // ATTN_TARGET_PTX_EMITPTX_H
