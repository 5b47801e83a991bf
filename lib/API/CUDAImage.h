// From a module with lowered tiles to an image for a GPU.
#ifndef ATTN_LIB_API_CUDAIMAGE_H
#define ATTN_LIB_API_CUDAIMAGE_H

#include "attn/API/Attention.h"
#include "attn/Runtime/KernelImage.h"

#include "mlir/IR/BuiltinOps.h"

#include <vector>

namespace attn {

/// Lowers the kernels of `module` (attn-gpu-pipeline) to tiles in registers.
/// The caller holds the mod's mutex.
Result<void> lowerTiles(const Mod &mod, mlir::ModuleOp module,
                        const char *target);

/// Lowers each gpu.module of `module` to an image. The caller holds the mod's
/// mutex; diagnostics go through the mod. `exact`: as in math-to-ptx. `target`:
/// as in attn-gpu-pipeline.
Result<std::vector<KernelImage>> compileCUDAImages(const Mod &mod,
                                                   mlir::ModuleOp module,
                                                   bool exact,
                                                   const char *target);

/// Of a module that has one.
Result<KernelImage> compileCUDAImage(const Mod &mod, mlir::ModuleOp module,
                                     bool exact, const char *target = "sm80");

} // namespace attn

#endif // ATTN_LIB_API_CUDAIMAGE_H
