// See KernelImages.h.
#include "KernelImages.h"

#include "HostTarget.h"
#include "ModImpl.h"

#include "attn/Pipelines/CPU.h"
#include "attn/Pipelines/GPU.h"
#include "attn/Support/Try.h"
#include "attn/Target/PTX/EmitPTX.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Pass/PassManager.h"

using namespace attn;
using mlir::attn::CPUTarget;

/// Runs the pipeline that `build` makes.
static Result<void>
lower(const Mod &mod, mlir::ModuleOp module,
      llvm::function_ref<void(mlir::OpPassManager &)> build) {
  return mod.impl().collect("cannot be compiled", [&] {
    mlir::PassManager pm(&mod.impl().context);
    build(pm);
    return pm.run(module);
  });
}

//===--- CPUs -------------------------------------------------------------===//

static Result<CPUTarget> cpuOf(const CodeTarget &target) {
  if (target.cpu.empty())
    return hostTarget();
  llvm::Expected<CPUTarget> cpu = CPUTarget::create(target.cpu);
  if (!cpu)
    return Error{llvm::toString(cpu.takeError())};
  return std::move(*cpu);
}

static Result<void> lowerForCPU(const Mod &mod, mlir::ModuleOp module,
                                const CPUTarget &cpu) {
  return lower(mod, module, [&](mlir::OpPassManager &pm) {
    mlir::attn::CPUPipelineOptions options;
    options.lanes = cpu.lanes();
    options.registers = cpu.registers();
    mlir::attn::buildCPUPipeline(pm, options);
  });
}

/// Of all kernels of a lowered module, in its order.
static Result<KernelImage> makeCPUImage(const Mod &mod, mlir::ModuleOp module,
                                        const CPUTarget &cpu) {
  KernelImage image;
  ATTN_TRY(mod.impl().collect("cannot be compiled", [&] {
    mlir::FailureOr<KernelImage> made = mlir::attn::emitImage(module, cpu);
    if (mlir::succeeded(made))
      image = std::move(*made);
    return made;
  }));
  return image;
}

//===--- GPUs -------------------------------------------------------------===//

/// Lowers each gpu.module of `module` to the nvvm dialect.
static Result<void> lowerToNVVM(const Mod &mod, mlir::ModuleOp module,
                                const CodeTarget &target) {
  return lower(mod, module, [&](mlir::OpPassManager &pm) {
    mlir::attn::GPUPipelineOptions options;
    options.exact = target.exact;
    options.target = target.pipeline;
    mlir::attn::buildGPUToNVVMPipeline(pm, options);
  });
}

/// Of each gpu.module, lowered.
static Result<std::vector<KernelImage>> makeGPUImages(const Mod &mod,
                                                      mlir::ModuleOp module) {
  std::vector<KernelImage> images;
  ATTN_TRY(mod.impl().collect("cannot be compiled", [&] {
    for (auto kernels : module.getOps<mlir::gpu::GPUModuleOp>()) {
      mlir::FailureOr<KernelImage> made = mlir::attn::emitImage(kernels);
      if (mlir::failed(made))
        return mlir::failure();
      images.push_back(std::move(*made));
    }
    return mlir::success();
  }));
  return images;
}

Result<KernelImage> attn::makeRowImage(const Mod &mod, mlir::ModuleOp module) {
  CodeTarget target;
  target.exact = true;
  ATTN_TRY(lowerToNVVM(mod, module, target));
  ATTN_TRY_ASSIGN(std::vector<KernelImage> images, makeGPUImages(mod, module));
  return std::move(images.front());
}

//===--- kernels ----------------------------------------------------------===//

Result<void> attn::lowerAttention(const Mod &mod, mlir::ModuleOp module,
                                  const CodeTarget &target) {
  if (target.target == Target::CPU) {
    ATTN_TRY_ASSIGN(CPUTarget cpu, cpuOf(target));
    return lowerForCPU(mod, module, cpu);
  }
  return lower(mod, module, [&](mlir::OpPassManager &pm) {
    mlir::attn::GPUPipelineOptions options;
    options.target = target.pipeline;
    mlir::attn::buildGPUTilePipeline(pm, options);
  });
}

Result<void> attn::lowerToLLVM(const Mod &mod, mlir::ModuleOp module,
                               const CodeTarget &target) {
  ATTN_TRY(lowerAttention(mod, module, target));
  return target.target == Target::CPU ? Result<void>()
                                      : lowerToNVVM(mod, module, target);
}

Result<std::vector<KernelImage>>
attn::makeAttentionImages(const Mod &mod, mlir::ModuleOp module,
                          const CodeTarget &target) {
  ATTN_TRY(lowerToLLVM(mod, module, target));
  if (target.target == Target::CUDA)
    return makeGPUImages(mod, module);
  ATTN_TRY_ASSIGN(CPUTarget cpu, cpuOf(target));
  ATTN_TRY_ASSIGN(KernelImage image, makeCPUImage(mod, module, cpu));
  return std::vector<KernelImage>{std::move(image)};
}

Result<KernelImage> attn::makeTileListImage(const Mod &mod,
                                            mlir::ModuleOp module,
                                            const std::string &functions,
                                            const CodeTarget &target) {
  if (target.target == Target::CPU) {
    ATTN_TRY_ASSIGN(CPUTarget cpu, cpuOf(target));
    ATTN_TRY(lower(mod, module, [&](mlir::OpPassManager &pm) {
      mlir::attn::buildCPUTileListsPipeline(pm, functions);
    }));
    return makeCPUImage(mod, module, cpu);
  }
  ATTN_TRY(lower(mod, module, [&](mlir::OpPassManager &pm) {
    mlir::attn::buildGPUTileListsPipeline(pm, functions);
  }));
  return makeRowImage(mod, module);
}
