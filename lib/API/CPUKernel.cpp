// Attention on the CPU: the CPU pipeline, LLVM's JIT, tasks on all cores.
#include "CPUCode.h"
#include "CaptureViews.h"
#include "HostMemory.h"
#include "KernelImpl.h"
#include "KernelModule.h"
#include "ModImpl.h"
#include "PartMemory.h"
#include "PlannedKernels.h"
#include "TilesImpl.h"

#include "attn/Runtime/ThreadPool.h"
#include "attn/Support/Try.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>

using namespace attn;

namespace {
struct Code {
  cpu::LoadedKernel kernel;
  std::optional<cpu::LoadedKernel> merge; ///< behind one of parts
  std::optional<TileFinder> finder;       ///< if it needs lists of tiles
};

/// Enough for the threads of most processors, of which fast ones do more; the
/// same for all, so that results do not depend on how many there are.
constexpr int64_t defaultShares = 128;

struct CPUKernel : public AttentionKernel::Impl {
  explicit CPUKernel(const Mod &mod) : mod(mod) {}

  Result<void> run(const KernelArguments &arguments) const override;
  Result<void> prepare(const SizeRange *range) const override {
    for (size_t place : kernelsFor(codes.plan(), launchRangeOf(range, {})))
      ATTN_TRY(codeFor(place));
    return {};
  }
  Result<int64_t> workspaceBytes(const SizeRange &range) const override {
    int64_t bytes = 0;
    for (size_t place : kernelsFor(codes.plan(), launchRangeOf(&range, {}))) {
      ATTN_TRY_ASSIGN(const Code *code, codeFor(place));
      if (code->merge)
        bytes = std::max(bytes, partsOf(*code, range).bytes());
    }
    return bytes;
  }
  Result<void> writeEmptyRows(const KernelArguments &arguments) const override;
  Result<void> copyToHost(void *to, const void *from, int64_t bytes,
                          void *) const override {
    std::memcpy(to, from, static_cast<size_t>(bytes));
    return {};
  }
  Result<const Code *> codeFor(size_t place) const;
  PartMemory partsOf(const Code &code, const SizeRange &range) const {
    const KernelEntry &entry = code.kernel.entry();
    if (entry.chunk)
      return PartMemory::ofChunks(entry, spec, range);
    int64_t shares = spec.shares ? spec.shares : defaultShares;
    return PartMemory::ofShares(entry, spec, shares);
  }
  Result<void> runParts(const Code &code, const PartMemory &parts,
                        const Workspace &workspace, Bindings &bindings) const;

  Mod mod;
  PlannedKernels<Code> codes;
};
} // namespace

/// The plan of all launches. The caller holds the mod's mutex.
static Result<LaunchPlan> planOf(const Mod &mod, const KernelSpec &spec) {
  ATTN_TRY_ASSIGN(KernelModule kernel, buildKernelModule(mod, spec, "cpu"));
  return std::move(kernel.plan);
}

/// The module of one of its kernels, as LLVM gets it. The caller holds the
/// mod's mutex.
static Result<KernelModule> lower(const Mod &mod, const KernelSpec &spec,
                                  size_t place) {
  ATTN_TRY_ASSIGN(KernelModule kernel,
                  buildKernelModule(mod, spec, "cpu", place));
  ATTN_TRY(lowerForHost(mod, *kernel.module));
  return kernel;
}

static Result<Code> compileCode(const Mod &mod, const KernelSpec &spec,
                                size_t place) {
  std::unique_lock<std::mutex> lock(mod.impl().mutex);
  ATTN_TRY_ASSIGN(KernelModule module, lower(mod, spec, place));
  ATTN_TRY_ASSIGN(std::vector<cpu::LoadedKernel> kernels,
                  compileKernels(mod, *module.module));
  module.module = {};
  lock.unlock();
  Code code{std::move(kernels.front()), std::nullopt, std::nullopt};
  const KernelEntry &entry = code.kernel.entry();
  if (hasParts(entry))
    code.merge = std::move(kernels.back());
  if (takes(entry.signature, Role::ListOrder)) {
    ATTN_TRY_ASSIGN(
        code.finder,
        TileFinder::compile(mod, Target::CPU, entry.queryTile, entry.keyTile));
  }
  return code;
}

Result<const Code *> CPUKernel::codeFor(size_t place) const {
  return codes.get(place, [&] { return compileCode(mod, spec, place); });
}

Result<void> CPUKernel::run(const KernelArguments &a) const {
  Launch launch;
  ProblemSizes sizes = sizesOf(a);
  launch.sizes = launchSizesOf(sizes);
  launch.memory.unitCaptures = haveUnitStrides(a.captures);
  ATTN_TRY_ASSIGN(const Code *code, codeFor(kernelFor(codes.plan(), launch)));
  Bindings bindings = bindingsOf(*this, a);
  TileLists own;
  if (code->finder) {
    ATTN_TRY_ASSIGN(const TileLists *found, listsFor(*code->finder, a, own));
    found->impl().arguments.bind(bindings);
  }
  if (!code->merge)
    return code->kernel.run(bindings);
  return runParts(*code, partsOf(*code, {sizes, sizes}), a.workspace, bindings);
}

Result<void> CPUKernel::runParts(const Code &code, const PartMemory &parts,
                                 const Workspace &workspace,
                                 Bindings &bindings) const {
  ATTN_TRY(checkWorkspace(workspace, parts));
  if (parts.tasks == 0)
    return {};
  std::unique_ptr<void, decltype(&std::free)> own(nullptr, std::free);
  if (!workspace.data) {
    own.reset(std::malloc(static_cast<size_t>(parts.bytes())));
    if (!own)
      return Error{"out of memory: the workspace needs " +
                   std::to_string(parts.bytes()) + " bytes"};
  }
  parts.bind(bindings, workspace.data ? workspace.data : own.get());
  ATTN_TRY(code.kernel.run(bindings));
  return code.merge->runShort(parts.mergeTasks(), bindings);
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
  ATTN_TRY_ASSIGN(LaunchPlan plan, planOf(mod, spec));
  ATTN_TRY(lower(mod, spec, kernelForAnySizes(plan, {})));
  return {};
}

AttentionImpl attn::createCPUKernel(const Mod &mod, const KernelSpec &spec) {
  auto impl = std::make_shared<CPUKernel>(mod);
  impl->spec = spec;
  std::unique_lock<std::mutex> lock(mod.impl().mutex);
  ATTN_TRY_ASSIGN(LaunchPlan plan, planOf(mod, spec));
  lock.unlock();
  size_t place = kernelForAnySizes(plan, {});
  impl->codes.setPlan(std::move(plan));
  ATTN_TRY_ASSIGN(const Code *code, impl->codeFor(place));
  const KernelEntry &entry = code->kernel.entry();
  impl->schedule = entry.schedule;
  impl->queryTile = entry.queryTile, impl->keyTile = entry.keyTile;
  impl->finder = code->finder;
  return std::shared_ptr<AttentionKernel::Impl>(impl);
}
