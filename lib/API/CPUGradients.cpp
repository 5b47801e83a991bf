// Gradients on the CPU: kernels one after the other, tasks on all cores.
#include "CPUCode.h"
#include "CaptureViews.h"
#include "GradientImpl.h"
#include "HostMemory.h"
#include "KernelModule.h"
#include "ModImpl.h"
#include "PlannedKernels.h"
#include "TilesImpl.h"

#include "attn/Support/Try.h"

#include <cstdlib>
#include <numeric>
#include <string>

using namespace attn;

namespace {
/// Of one sum for captures.
struct SumCode {
  std::optional<cpu::LoadedKernel> pairs;
  cpu::LoadedKernel sum;
};

struct Code {
  cpu::LoadedKernel ofQueries;
  std::vector<cpu::LoadedKernel> ofKeys;
  std::vector<SumCode> ofSums;
  KernelModule module; ///< without its IR
};

struct CPUGradients : public GradientKernel::Impl {
  explicit CPUGradients(const Mod &mod) : mod(mod) {}

  Result<void> run(const GradientArguments &arguments,
                   const CaptureWorkspace &workspace,
                   Bindings &bindings) const override;
  Result<void> prepare(const SizeRange *range) const override {
    return prepare(launchRangeOf(range, {}));
  }
  Result<void> prepare(const GradientArguments &arguments) const override {
    return prepare(launchRangeOf(nullptr, memoryOf(arguments)));
  }
  Result<void> prepare(const LaunchRange &range) const {
    for (size_t place : kernelsFor(codes.plan(), range))
      ATTN_TRY(codeFor(place));
    return finders.prepare();
  }
  Result<void> checkMemory(const GradientArguments &) const override {
    return {};
  }
  Result<std::shared_ptr<void>> allocate(int64_t bytes, void *) const override {
    std::shared_ptr<void> memory(std::malloc(static_cast<size_t>(bytes)),
                                 std::free);
    if (bytes && !memory)
      return Error{"out of memory: the workspace needs " +
                   std::to_string(bytes) + " bytes"};
    return memory;
  }
  Result<void> writeZeros(const TensorView &view, void *) const override {
    attn::writeZeros(view);
    return {};
  }
  Result<bool> isCapturing(void *) const override { return false; }
  static LaunchMemory memoryOf(const GradientArguments &arguments) {
    LaunchMemory memory;
    memory.unitCaptures = haveUnitStrides(arguments.captures);
    return memory;
  }
  Result<const Code *> codeFor(size_t place) const;

  Mod mod;
  PlannedKernels<Code> codes;
};
} // namespace

/// The caller holds the mod's mutex.
static Result<Code> compileCode(const Mod &mod, const KernelSpec &spec,
                                const std::vector<int64_t> &wrt, size_t place) {
  ATTN_TRY_ASSIGN(KernelModule kernel,
                  buildGradientModule(mod, spec, wrt, "cpu", place));
  ATTN_TRY(lowerForHost(mod, *kernel.module));
  ATTN_TRY_ASSIGN(std::vector<cpu::LoadedKernel> kernels,
                  compileKernels(mod, *kernel.module));
  auto named = [&](const std::string &name) {
    return *llvm::find_if(kernels, [&](const cpu::LoadedKernel &kernel) {
      return kernel.entry().name == name;
    });
  };
  Code code{named(KernelModule::gradQueryFunction), {}, {}, {}};
  for (const KernelModule::OfKeys &ofKeys : kernel.ofKeys)
    code.ofKeys.push_back(named(ofKeys.function));
  for (size_t i = 0; i < kernel.sums.size(); ++i) {
    std::optional<cpu::LoadedKernel> pairs;
    if (kernel.sums[i].hasPairs())
      pairs = named(KernelModule::gradPairsFunction(i));
    code.ofSums.push_back({pairs, named(KernelModule::gradSumFunction(i))});
  }
  code.module = std::move(kernel);
  code.module.module = {};
  return code;
}

Result<const Code *> CPUGradients::codeFor(size_t place) const {
  return codes.get(place, [&] {
    std::lock_guard<std::mutex> lock(mod.impl().mutex);
    return compileCode(mod, spec, wrt, place);
  });
}

Result<void> CPUGradients::run(const GradientArguments &a,
                               const CaptureWorkspace &workspace,
                               Bindings &bindings) const {
  Launch launch{launchSizesOf(sizesOf(a)), memoryOf(a)};
  ATTN_TRY_ASSIGN(const Code *code, codeFor(kernelFor(codes.plan(), launch)));
  ATTN_TRY_ASSIGN(GradientTiles tiles, tilesFor(*this, finders, a));
  auto takesLists = [](const cpu::LoadedKernel &kernel) {
    return takes(kernel.entry().signature, Role::ListOrder);
  };
  size_t lists = 0;
  auto run = [&](const cpu::LoadedKernel &kernel) {
    if (takesLists(kernel))
      bindTiles(bindings, tiles, lists++);
    return kernel.run(bindings);
  };
  ATTN_TRY(run(code->ofQueries));
  for (const cpu::LoadedKernel &kernel : code->ofKeys)
    ATTN_TRY(run(kernel));
  // Sums of pairs go over queries like the first kernel.
  if (takesLists(code->ofQueries))
    bindTiles(bindings, tiles, 0);
  for (size_t i = 0; i < code->ofSums.size(); ++i) {
    const SumCode &sum = code->ofSums[i];
    if (sum.pairs) {
      ATTN_TRY(sum.pairs->run(bindings));
    }
    // One slot is the gradient itself.
    if (!workspace.isDirect(i)) {
      ATTN_TRY(sum.sum.run(bindings));
    }
  }
  return {};
}

GradientImpl attn::createCPUGradients(const Mod &mod, const KernelSpec &spec,
                                      const std::vector<int64_t> &wrt) {
  auto impl = std::make_shared<CPUGradients>(mod);
  impl->spec = spec;
  impl->wrt = wrt;
  std::unique_lock<std::mutex> lock(mod.impl().mutex);
  ATTN_TRY_ASSIGN(KernelModule planned,
                  buildGradientModule(mod, spec, wrt, "cpu"));
  lock.unlock();
  impl->codes.setPlan(std::move(planned.plan));
  ATTN_TRY_ASSIGN(const Code *compiled,
                  impl->codeFor(kernelForAnySizes(impl->codes.plan(), {})));
  const Code &code = *compiled;
  impl->schedule = code.module.schedule;
  impl->sums = code.module.sums;
  impl->wholeQueries = code.module.queryTile;
  std::vector<KernelEntry> kernels{code.ofQueries.entry()};
  for (const cpu::LoadedKernel &kernel : code.ofKeys) {
    kernels.push_back(kernel.entry());
    impl->wholeQueries = std::lcm(impl->wholeQueries, kernel.entry().queryTile);
  }
  std::vector<bool> ownKeys(kernels.size(), true);
  ownKeys[0] = false;
  ATTN_TRY_ASSIGN(impl->finders, GradientTileFinders::compile(
                                     mod, Target::CPU, kernels, ownKeys));
  return std::shared_ptr<GradientKernel::Impl>(impl);
}
