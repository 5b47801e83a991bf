// See CUDAImage.h.
#include "CUDAImage.h"

#include "ModImpl.h"
#include "attn/Pipelines/GPU.h"
#include "attn/Support/Try.h"
#include "attn/Target/PTX/EmitPTX.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Pass/PassManager.h"

using namespace attn;

Result<void> attn::lowerTiles(const Mod &mod, mlir::ModuleOp module,
                              const char *target) {
  return mod.impl().collect("cannot be compiled", [&] {
    mlir::PassManager pm(&mod.impl().context);
    mlir::attn::GPUPipelineOptions options;
    options.target = target;
    mlir::attn::buildGPUTilePipeline(pm, options);
    return pm.run(module);
  });
}

Result<std::vector<KernelImage>> attn::compileCUDAImages(const Mod &mod,
                                                         mlir::ModuleOp module,
                                                         bool exact,
                                                         const char *target) {
  std::vector<KernelImage> images;
  Result<void> lowered = mod.impl().collect("cannot be compiled", [&] {
    mlir::PassManager pm(module.getContext());
    mlir::attn::GPUPipelineOptions options;
    options.exact = exact;
    options.target = target;
    mlir::attn::buildGPUToNVVMPipeline(pm, options);
    if (mlir::failed(pm.run(module)))
      return mlir::failure();
    for (auto kernels : module.getOps<mlir::gpu::GPUModuleOp>()) {
      mlir::FailureOr<KernelImage> made = mlir::attn::emitImage(kernels);
      if (mlir::failed(made))
        return mlir::failure();
      images.push_back(std::move(*made));
    }
    return mlir::success();
  });
  ATTN_TRY(lowered);
  return images;
}

Result<KernelImage> attn::compileCUDAImage(const Mod &mod,
                                           mlir::ModuleOp module, bool exact,
                                           const char *target) {
  ATTN_TRY_ASSIGN(std::vector<KernelImage> images,
                  compileCUDAImages(mod, module, exact, target));
  return std::move(images.front());
}
