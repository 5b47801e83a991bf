// See KernelImages.h.
#include "KernelImages.h"

#include "CodeCache.h"
#include "CodeKey.h"
#include "HostTarget.h"
#include "ModImpl.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h"
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

/// Whether what `module` attends to is bf16. A unit for f16 has no CPU yet.
static bool computesBF16(mlir::ModuleOp module) {
  return module
      .walk([](mlir::Operation *op) {
        auto isBF16 = [](auto attention) {
          return attention && attention.getElementType().isBF16();
        };
        return isBF16(mlir::dyn_cast<mlir::attn::AttentionOp>(op)) ||
                       isBF16(
                           mlir::dyn_cast<mlir::attn::AttentionBackwardOp>(op))
                   ? mlir::WalkResult::interrupt()
                   : mlir::WalkResult::advance();
      })
      .wasInterrupted();
}

static Result<void> lowerForCPU(const Mod &mod, mlir::ModuleOp module,
                                const CPUTarget &cpu) {
  return lower(mod, module, [&](mlir::OpPassManager &pm) {
    mlir::attn::CPUPipelineOptions options;
    options.lanes = cpu.lanes();
    options.registers = cpu.registers();
    options.matrixUnits = cpu.hasMatrixUnits() && computesBF16(module);
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

/// To tiles in registers.
static Result<void> lowerForGPU(const Mod &mod, mlir::ModuleOp module,
                                const char *pipeline) {
  return lower(mod, module, [&](mlir::OpPassManager &pm) {
    mlir::attn::GPUPipelineOptions options;
    options.target = pipeline;
    mlir::attn::buildGPUTilePipeline(pm, options);
  });
}

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

/// Lowers each gpu.module of `module` to an image.
static Result<Images> makeGPUImages(const Mod &mod, mlir::ModuleOp module,
                                    const CodeTarget &target) {
  ATTN_TRY(lowerToNVVM(mod, module, target));
  Images images;
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

namespace {
/// What code is made for, resolved: a GPU has no `cpu`.
struct Resolved {
  const CodeTarget &target;
  std::optional<CPUTarget> cpu;

  static Result<Resolved> of(const CodeTarget &target) {
    Resolved resolved{target, std::nullopt};
    if (target.target == Target::CPU) {
      ATTN_TRY_ASSIGN(resolved.cpu, cpuOf(target));
    }
    return resolved;
  }

  cache::Kind kind() const { return cpu ? cache::Kind::CPU : cache::Kind::PTX; }
  std::string key() const {
    return cpu ? "cpu " + keyOf(*cpu)
               : std::string("gpu ") + target.pipeline +
                     (target.exact ? " exact" : "");
  }
};
} // namespace

/// What `make` makes of a module, once for all that are equal. `what`: which of
/// the ways to code it is, and what it is given besides.
static Result<Images>
kept(const std::string &what, mlir::ModuleOp module, const CodeTarget &target,
     llvm::function_ref<Result<Images>(const Resolved &)> make) {
  ATTN_TRY_ASSIGN(Resolved resolved, Resolved::of(target));
  return cachedImages(
      resolved.kind(),
      [&] { return what + "\n" + resolved.key() + "\n" + keyOf(module); },
      [&] { return make(resolved); });
}

static CodeTarget everyGPU() {
  CodeTarget target;
  target.target = Target::CUDA;
  target.exact = true;
  return target;
}

Result<KernelImage> attn::makeRowImage(const Mod &mod, mlir::ModuleOp module) {
  CodeTarget target = everyGPU();
  ATTN_TRY_ASSIGN(Images images,
                  kept("rows", module, target, [&](const Resolved &) {
                    return makeGPUImages(mod, module, target);
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
  return lowerForGPU(mod, module, target.pipeline);
}

static Result<Images> compileAttention(const Mod &mod, mlir::ModuleOp module,
                                       const Resolved &to) {
  if (!to.cpu) {
    ATTN_TRY(lowerForGPU(mod, module, to.target.pipeline));
    return makeGPUImages(mod, module, to.target);
  }
  ATTN_TRY(lowerForCPU(mod, module, *to.cpu));
  ATTN_TRY_ASSIGN(KernelImage image, makeCPUImage(mod, module, *to.cpu));
  return Images{std::move(image)};
}

static Result<Images> compileTileLists(const Mod &mod, mlir::ModuleOp module,
                                       const std::string &functions,
                                       const Resolved &to) {
  ATTN_TRY(lower(mod, module, [&](mlir::OpPassManager &pm) {
    to.cpu ? mlir::attn::buildCPUTileListsPipeline(pm, functions)
           : mlir::attn::buildGPUTileListsPipeline(pm, functions);
  }));
  if (!to.cpu)
    return makeGPUImages(mod, module, to.target);
  ATTN_TRY_ASSIGN(KernelImage image, makeCPUImage(mod, module, *to.cpu));
  return Images{std::move(image)};
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
  return kept("attention", module, target, [&](const Resolved &to) {
    return compileAttention(mod, module, to);
  });
}

Result<KernelImage> attn::makeTileListImage(const Mod &mod,
                                            mlir::ModuleOp module,
                                            const std::string &functions,
                                            const CodeTarget &given) {
  CodeTarget target = given.target == Target::CPU ? given : everyGPU();
  ATTN_TRY_ASSIGN(
      Images images,
      kept("tiles " + functions, module, target, [&](const Resolved &to) {
        return compileTileLists(mod, module, functions, to);
      }));
  return std::move(images.front());
}
