// See ThreadKernel.h. An attention's pipelines make these kernels; they take a
// mod for its context, and there is none here but one that does nothing.
#include "ThreadKernel.h"

#include "../Launch/CUDALaunch.h"
#include "KernelImages.h"
#include "ModImpl.h"

#include "attn/Support/Try.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include "llvm/Support/MathExtras.h"

#include <chrono>
#include <cstring>

using namespace attn;

/// The one kernel of the module.
static Result<KernelImage> makeImage(const Mod &mod, mlir::ModuleOp module,
                                     Target target) {
  CodeTarget code;
  code.target = target;
  // A merge is of f32 whatever its parts are rounded to.
  code.exact = true;
  ATTN_TRY_ASSIGN(std::vector<KernelImage> images,
                  makeAttentionImages(mod, module, code));
  return std::move(images.front());
}

/// Loads it by `Loaded`, of either target.
template <typename Loaded>
static Result<Loaded> load(const KernelImage &image) {
  ATTN_TRY_ASSIGN(std::vector<Loaded> loaded, Loaded::load(image));
  return std::move(loaded.front());
}

Result<ThreadKernel>
ThreadKernel::compile(Target target, std::optional<int> device,
                      const std::function<void(mlir::ModuleOp)> &build) {
  auto start = std::chrono::steady_clock::now();
  ATTN_TRY_ASSIGN(Mod mod, Mod::fromSource("attn.mod @none", "none.mlir"));
  std::lock_guard<std::mutex> lock(mod.impl().mutex);
  mlir::OpBuilder builder(&mod.impl().context);
  mlir::OwningOpRef<mlir::ModuleOp> module =
      mlir::ModuleOp::create(builder, builder.getUnknownLoc());
  build(*module);
  ThreadKernel kernel;
  if (target == Target::CPU) {
    ATTN_TRY_ASSIGN(KernelImage image, makeImage(mod, *module, target));
    ATTN_TRY_ASSIGN(kernel.ofCPU, load<cpu::LoadedKernel>(image));
  } else {
    KernelSpec where;
    where.device = device;
    ATTN_TRY_ASSIGN(cuda::Context context, contextOf(where));
    cuda::ContextScope scope(context);
    ATTN_TRY(cuda::currentDevice());
    kernel.context = cuda::currentContext();
    ATTN_TRY_ASSIGN(KernelImage image, makeImage(mod, *module, target));
    ATTN_TRY_ASSIGN(kernel.ofGPU, load<cuda::LoadedKernel>(image));
  }
  std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  kernel.seconds = time.count();
  return kernel;
}

Result<void> ThreadKernel::run(int64_t tasks, Bindings &bindings,
                               void *stream) const {
  if (tasks == 0)
    return {};
  if (ofCPU)
    return ofCPU->runShort(tasks, bindings);
  return ofGPU->launch(llvm::divideCeil(tasks, ofGPU->entry().threads),
                       bindings, stream);
}

Result<void> ThreadKernel::copyToHost(void *to, const void *from, int64_t bytes,
                                      void *stream) const {
  if (ofGPU)
    return copyFromGPU(context, to, from, bytes, stream);
  std::memcpy(to, from, static_cast<size_t>(bytes));
  return {};
}

Result<void> attn::checkElementType(ElementType type) {
  if (type == ElementType::F32 || type == ElementType::F16 ||
      type == ElementType::BF16)
    return {};
  return Error{std::string("expects element type f32, f16 or bf16, got ") +
               toString(type)};
}

Result<void> attn::checkChannels(const char *name, int64_t channels) {
  if (channels >= 1 && channels <= 256)
    return {};
  return Error{std::string("expects a ") + name +
               " dimension of 1 to 256, got " + std::to_string(channels)};
}
