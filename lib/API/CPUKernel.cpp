// Attention on the CPU: the CPU pipeline, LLVM's JIT, tasks on all cores.
//
// A kernel has two codes, of which the second is compiled when it is first
// needed: for captured tensors with an innermost stride of 1, whose neighbours
// are read together, and for any.
#include "CPUCode.h"
#include "CaptureViews.h"
#include "HostMemory.h"
#include "KernelImpl.h"
#include "KernelModule.h"
#include "ModImpl.h"
#include "TilesImpl.h"

#include "attn/Support/Try.h"

#include <algorithm>
#include <limits>

using namespace attn;

namespace {
struct CPUKernel : public AttentionKernel::Impl {
  explicit CPUKernel(const Mod &mod) : mod(mod) {}

  Result<void> run(const KernelArguments &arguments) const override;
  Result<void> prepare(const ProblemSizes *) const override {
    ATTN_TRY(kernelFor(spec.stridedCaptures));
    return {};
  }
  Result<void> writeEmptyRows(const KernelArguments &arguments) const override;
  Result<const cpu::LoadedKernel *> kernelFor(bool stridedCaptures) const;

  Mod mod;
  mutable std::mutex mutex;
  mutable std::optional<cpu::LoadedKernel> kernels[2];
};
} // namespace

/// The module as LLVM gets it. The caller holds the mod's mutex.
static Result<KernelModule> lower(const Mod &mod, const KernelSpec &spec,
                                  bool stridedCaptures) {
  ATTN_TRY_ASSIGN(KernelModule kernel, buildKernelModule(mod, spec, "cpu"));
  ATTN_TRY(lowerForHost(mod, *kernel.module, stridedCaptures));
  return kernel;
}

/// The one kernel of the module. The caller holds the mod's mutex.
static Result<cpu::LoadedKernel> compileKernel(const Mod &mod,
                                               const KernelModule &kernel) {
  ATTN_TRY_ASSIGN(std::vector<cpu::LoadedKernel> kernels,
                  compileKernels(mod, *kernel.module));
  return std::move(kernels.front());
}

Result<const cpu::LoadedKernel *>
CPUKernel::kernelFor(bool stridedCaptures) const {
  std::lock_guard<std::mutex> lock(mutex);
  std::optional<cpu::LoadedKernel> &kernel = kernels[stridedCaptures];
  if (!kernel) {
    std::lock_guard<std::mutex> modLock(mod.impl().mutex);
    ATTN_TRY_ASSIGN(KernelModule module, lower(mod, spec, stridedCaptures));
    ATTN_TRY_ASSIGN(kernel, compileKernel(mod, module));
  }
  return &*kernel;
}

Result<void> CPUKernel::run(const KernelArguments &a) const {
  ATTN_TRY_ASSIGN(
      const cpu::LoadedKernel *kernel,
      kernelFor(spec.stridedCaptures || !haveUnitStrides(a.captures)));
  Bindings bindings = bindingsOf(*this, a);
  TileLists own;
  if (finder) {
    ATTN_TRY_ASSIGN(const TileLists *found, listsFor(*finder, a, own));
    found->impl().arguments.bind(bindings);
  }
  return kernel->run(bindings);
}

Result<void> CPUKernel::writeEmptyRows(const KernelArguments &a) const {
  writeZeros(a.out);
  if (a.lse)
    std::fill_n(a.lse, a.out.sizes[0] * a.out.sizes[1] * a.out.sizes[2],
                -std::numeric_limits<float>::infinity());
  return {};
}

Result<void> attn::checkCPUKernel(const Mod &mod, const KernelSpec &spec) {
  std::lock_guard<std::mutex> lock(mod.impl().mutex);
  ATTN_TRY(lower(mod, spec, spec.stridedCaptures));
  return {};
}

AttentionImpl attn::createCPUKernel(const Mod &mod, const KernelSpec &spec) {
  std::unique_lock<std::mutex> lock(mod.impl().mutex);
  ATTN_TRY_ASSIGN(KernelModule module, lower(mod, spec, spec.stridedCaptures));
  ATTN_TRY_ASSIGN(cpu::LoadedKernel kernel, compileKernel(mod, module));
  auto impl = std::make_shared<CPUKernel>(mod);
  impl->spec = spec;
  const KernelEntry &entry = kernel.entry();
  impl->schedule = entry.schedule;
  impl->queryTile = entry.queryTile, impl->keyTile = entry.keyTile;
  bool takesLists = takes(entry.signature, Role::ListOrder);
  impl->kernels[spec.stridedCaptures] = std::move(kernel);
  if (takesLists) {
    lock.unlock();
    ATTN_TRY_ASSIGN(
        impl->finder,
        TileFinder::compile(mod, Target::CPU, impl->queryTile, impl->keyTile));
  }
  return std::shared_ptr<AttentionKernel::Impl>(impl);
}
