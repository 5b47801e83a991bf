// Gradients on the CPU: kernels one after the other, tasks on all cores.
#include "CaptureViews.h"
#include "GradientImpl.h"
#include "HostMemory.h"
#include "PlannedKernels.h"
#include "TilesImpl.h"

#include "attn/Runtime/LoadedCPUKernel.h"
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
  std::vector<cpu::LoadedKernel> kernels; ///< of queries, then of keys
  std::vector<SumCode> ofSums;
  std::vector<CaptureSumPlan> sums;
  std::string schedule;
};

struct CPUGradients : public GradientKernel::Impl {
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

  KernelDescription description;
  SharedSource source;
  PlannedKernels<Code> codes;
};
} // namespace

static Result<Code> load(VariantImages images) {
  ATTN_TRY_ASSIGN(std::vector<cpu::LoadedKernel> loaded,
                  cpu::LoadedKernel::load(images.images.front()));
  Code code{{}, {}, std::move(images.sums), std::move(images.schedule)};
  size_t ofSums = 0;
  for (const CaptureSumPlan &sum : code.sums)
    ofSums += sum.hasSlots() ? 2 : 1;
  auto next = loaded.begin() + static_cast<ptrdiff_t>(loaded.size() - ofSums);
  code.kernels.assign(loaded.begin(), next);
  for (const CaptureSumPlan &sum : code.sums) {
    std::optional<cpu::LoadedKernel> pairs;
    if (sum.hasSlots())
      pairs = *next++;
    code.ofSums.push_back({pairs, *next++});
  }
  return code;
}

Result<const Code *> CPUGradients::codeFor(size_t place) const {
  return codes.get(place, [&]() -> Result<Code> {
    ATTN_TRY_ASSIGN(VariantImages images, source->variant(place));
    return load(std::move(images));
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
  for (const cpu::LoadedKernel &kernel : code->kernels)
    ATTN_TRY(run(kernel));
  // Sums of pairs go over queries like the first kernel.
  if (takesLists(code->kernels.front()))
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

GradientImpl attn::createCPUGradients(KernelDescription description,
                                      SharedSource source) {
  auto impl = std::make_shared<CPUGradients>();
  impl->spec = description.spec;
  impl->captures = description.captures;
  impl->wrt = description.wrt;
  impl->codes.setPlan(description.plan);
  impl->description = std::move(description);
  impl->source = std::move(source);
  ATTN_TRY_ASSIGN(const Code *code,
                  impl->codeFor(kernelForAnySizes(impl->codes.plan(), {})));
  impl->schedule = code->schedule;
  impl->sums = code->sums;
  impl->wholeQueries = 1;
  std::vector<KernelEntry> kernels;
  for (const cpu::LoadedKernel &kernel : code->kernels) {
    kernels.push_back(kernel.entry());
    impl->wholeQueries = std::lcm(impl->wholeQueries, kernel.entry().queryTile);
  }
  std::vector<bool> ownKeys(kernels.size(), true);
  ownKeys[0] = false;
  ATTN_TRY_ASSIGN(impl->finders,
                  GradientTileFinders::create(impl->description, impl->source,
                                              kernels, ownKeys));
  return std::shared_ptr<GradientKernel::Impl>(impl);
}
