// See KernelImages.h.
#include "KernelImages.h"

#include "CodeCache.h"
#include "CodeKey.h"
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

/// Lowers each gpu.module of `module` to an image.
static Result<std::vector<KernelImage>> makeGPUImages(const Mod &mod,
                                                      mlir::ModuleOp module,
                                                      bool exact,
                                                      const char *pipeline) {
  ATTN_TRY(lower(mod, module, [&](mlir::OpPassManager &pm) {
    mlir::attn::GPUPipelineOptions options;
    options.exact = exact;
    options.target = pipeline;
    mlir::attn::buildGPUToNVVMPipeline(pm, options);
  }));
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

//===--- what is kept -----------------------------------------------------===//

/// `what`: which of the ways to code, and what it is given besides.
static std::string keyOf(const std::string &what, mlir::ModuleOp module,
                         const CodeTarget &target) {
  std::string text = what + "\n";
  if (target.target == Target::CUDA)
    text += std::string("gpu ") + target.pipeline +
            (target.exact ? " exact" : "") + "\n";
  else if (Result<CPUTarget> cpu = cpuOf(target))
    text += "cpu " + keyOf(*cpu) + "\n";
  return text + keyOf(module);
}

/// `make`: makes images of a module. Those for equal modules are made once.
static Result<Images> kept(const std::string &what, mlir::ModuleOp module,
                           const CodeTarget &target,
                           llvm::function_ref<Result<Images>()> make) {
  bool isCPU = target.target == Target::CPU;
  if (isCPU)
    ATTN_TRY(cpuOf(target)); // whose error is no key
  return cachedImages(
      isCPU ? cache::Kind::CPU : cache::Kind::PTX,
      [&] { return keyOf(what, module, target); }, [&] { return make(); });
}

static CodeTarget everyGPU() {
  CodeTarget target;
  target.target = Target::CUDA;
  target.exact = true;
  return target;
}

Result<KernelImage> attn::makeRowImage(const Mod &mod, mlir::ModuleOp module) {
  CodeTarget target = everyGPU();
  ATTN_TRY_ASSIGN(Images images, kept("rows", module, target, [&] {
                    return makeGPUImages(mod, module, target.exact,
                                         target.pipeline);
                  }));
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

static Result<Images> compileAttention(const Mod &mod, mlir::ModuleOp module,
                                       const CodeTarget &target) {
  ATTN_TRY(lowerAttention(mod, module, target));
  if (target.target == Target::CUDA)
    return makeGPUImages(mod, module, target.exact, target.pipeline);
  ATTN_TRY_ASSIGN(CPUTarget cpu, cpuOf(target));
  ATTN_TRY_ASSIGN(KernelImage image, makeCPUImage(mod, module, cpu));
  return Images{std::move(image)};
}

static Result<Images> compileTileLists(const Mod &mod, mlir::ModuleOp module,
                                       const std::string &functions,
                                       const CodeTarget &target) {
  bool isCPU = target.target == Target::CPU;
  ATTN_TRY(lower(mod, module, [&](mlir::OpPassManager &pm) {
    isCPU ? mlir::attn::buildCPUTileListsPipeline(pm, functions)
          : mlir::attn::buildGPUTileListsPipeline(pm, functions);
  }));
  if (!isCPU)
    return makeGPUImages(mod, module, target.exact, target.pipeline);
  ATTN_TRY_ASSIGN(CPUTarget cpu, cpuOf(target));
  ATTN_TRY_ASSIGN(KernelImage image, makeCPUImage(mod, module, cpu));
  return Images{std::move(image)};
}

Result<std::vector<KernelImage>>
attn::makeAttentionImages(const Mod &mod, mlir::ModuleOp module,
                          const CodeTarget &target) {
  return kept("attention", module, target,
              [&] { return compileAttention(mod, module, target); });
}

Result<KernelImage> attn::makeTileListImage(const Mod &mod,
                                            mlir::ModuleOp module,
                                            const std::string &functions,
                                            const CodeTarget &given) {
  CodeTarget target = given.target == Target::CPU ? given : everyGPU();
  ATTN_TRY_ASSIGN(Images images,
                  kept("tiles " + functions, module, target, [&] {
                    return compileTileLists(mod, module, functions, target);
                  }));
  return std::move(images.front());
}
