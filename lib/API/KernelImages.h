// From the IR of kernels to images of them: the one way to code, whoever asks
// for it (a launch in this process, a cache, a package) and for whichever
// target.
#ifndef ATTN_LIB_API_KERNELIMAGES_H
#define ATTN_LIB_API_KERNELIMAGES_H

#include "attn/API/Attention.h"
#include "attn/Runtime/KernelImage.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace attn {

/// What code is made for.
struct CodeTarget {
  Target target = Target::CPU;
  /// CPU: as LLVM names it; empty: this process's (hostTarget).
  std::string cpu = {};
  /// CUDA: of attn-gpu-pipeline.
  const char *pipeline = "sm80";
  /// CUDA: as in math-to-ptx.
  bool exact = false;
};

/// Lowers the attention of `module` as far as mistakes of schedules show: for
/// CUDA to tiles in registers, for a CPU to the llvm dialect. The caller holds
/// the mod's mutex, as for all below; diagnostics go through the mod.
Result<void> lowerAttention(const Mod &mod, mlir::ModuleOp module,
                            const CodeTarget &target);

/// Lowers all of it, to what the translation to LLVM IR takes.
Result<void> lowerToLLVM(const Mod &mod, mlir::ModuleOp module,
                         const CodeTarget &target);

/// The images of the kernels of an attention, or of its gradients, which
/// attn-select-schedule has seen: one with all kernels for a CPU, one for each
/// kernel for CUDA. Errors: those of the target; what cannot be compiled.
Result<std::vector<KernelImage>> makeAttentionImages(const Mod &mod,
                                                     mlir::ModuleOp module,
                                                     const CodeTarget &target);

/// The image of the functions that find tiles. `functions`: as in
/// attn-to-tile-lists.
Result<KernelImage> makeTileListImage(const Mod &mod, mlir::ModuleOp module,
                                      const std::string &functions,
                                      const CodeTarget &target);

/// Of a module with one gpu.module, that has no tiles.
Result<KernelImage> makeRowImage(const Mod &mod, mlir::ModuleOp module);

} // namespace attn

#endif // ATTN_LIB_API_KERNELIMAGES_H
