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
  std::optional<TaskFunction> pairs;
  TaskFunction sum;
};

struct Code {
  std::shared_ptr<const Jit> jit; ///< that owns the kernels
  TaskFunction ofQueries;
  std::vector<TaskFunction> ofKeys;
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
  std::vector<std::string> functions{KernelModule::gradQueryFunction};
  for (const KernelModule::OfKeys &ofKeys : kernel.ofKeys)
    functions.push_back(ofKeys.function);
  for (size_t i = 0; i < kernel.sums.size(); ++i) {
    if (kernel.sums[i].hasPairs())
      functions.push_back(KernelModule::gradPairsFunction(i));
    functions.push_back(KernelModule::gradSumFunction(i));
  }
  std::vector<std::string> names;
  for (const std::string &function : functions) {
    names.push_back(function);
    names.push_back(function + "_tasks");
  }
  ATTN_TRY_ASSIGN(auto jit, Jit::compile(*kernel.module, names));
  size_t next = 0;
  auto entry = [&] {
    size_t i = next++;
    return TaskFunction{signatureIn(*kernel.module, functions[i]),
                        jit->function(2 * i), jit->function(2 * i + 1)};
  };
  Code code;
  code.jit = jit;
  code.ofQueries = entry();
  for (size_t i = 0; i < kernel.ofKeys.size(); ++i)
    code.ofKeys.push_back(entry());
  for (const CaptureSumPlan &plan : kernel.sums) {
    SumCode sum;
    if (plan.hasPairs())
      sum.pairs = entry();
    sum.sum = entry();
    code.ofSums.push_back(sum);
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
  auto takesLists = [](const TaskFunction &kernel) {
    return takes(kernel.signature, Role::ListOrder);
  };
  size_t lists = 0;
  auto run = [&](const TaskFunction &kernel) {
    if (takesLists(kernel))
      bindTiles(bindings, tiles, lists++);
    return runTasks(kernel, bindings);
  };
  ATTN_TRY(run(code->ofQueries));
  for (const TaskFunction &kernel : code->ofKeys)
    ATTN_TRY(run(kernel));
  // Sums of pairs go over queries like the first kernel.
  if (takesLists(code->ofQueries))
    bindTiles(bindings, tiles, 0);
  for (size_t i = 0; i < code->ofSums.size(); ++i) {
    const SumCode &sum = code->ofSums[i];
    if (sum.pairs) {
      ATTN_TRY(runTasks(*sum.pairs, bindings));
    }
    // One slot is the gradient itself.
    if (!workspace.isDirect(i)) {
      ATTN_TRY(runTasks(sum.sum, bindings));
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
  std::vector<KernelEntry> kernels(1 + code.ofKeys.size());
  kernels[0].signature = code.ofQueries.signature;
  kernels[0].queryTile = code.module.queryTile;
  kernels[0].keyTile = code.module.keyTile;
  for (size_t i = 0; i < code.ofKeys.size(); ++i) {
    const KernelModule::OfKeys &ofKeys = code.module.ofKeys[i];
    KernelEntry &kernel = kernels[i + 1];
    kernel.signature = code.ofKeys[i].signature;
    kernel.queryTile = ofKeys.queryTile, kernel.keyTile = ofKeys.keyTile;
    impl->wholeQueries = std::lcm(impl->wholeQueries, ofKeys.queryTile);
  }
  std::vector<bool> ownKeys(kernels.size(), true);
  ownKeys[0] = false;
  ATTN_TRY_ASSIGN(impl->finders, GradientTileFinders::compile(
                                     mod, Target::CPU, kernels, ownKeys));
  return std::shared_ptr<GradientKernel::Impl>(impl);
}
