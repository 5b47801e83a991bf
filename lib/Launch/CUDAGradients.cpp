// Gradients on NVIDIA GPUs: some kernels, one after the other, for sm_90a or
// for every GPU, as for the forward pass (CUDAKernel.cpp), and those of
// captures.
#include "CUDACaptureSums.h"
#include "CUDALaunch.h"
#include "CaptureViews.h"
#include "GradientImpl.h"
#include "PlannedKernels.h"
#include "TilesImpl.h"

#include "attn/Runtime/LoadedKernel.h"
#include "attn/Support/Try.h"

#include <algorithm>
#include <numeric>

using namespace attn;

namespace {

/// A variant of the plan, in the order of its launches; the kernels of captures
/// come last.
struct Variant {
  std::vector<cuda::LoadedKernel> kernels;
  CUDACaptureSums sums;
  std::vector<CaptureSumPlan> plans; ///< of `sums`
  std::string schedule;
  GradientTileFinders finders;
};

struct CUDAGradients : public GradientKernel::Impl {
  Result<void> run(const GradientArguments &arguments, const CaptureWorkspace &,
                   Bindings &bindings) const override;
  Result<void> prepare(const SizeRange *range) const override;
  Result<void> prepare(const GradientArguments &arguments) const override;
  Result<int64_t> spilledBytes(const SizeRange &range) const override;
  Result<void> checkMemory(const GradientArguments &arguments) const override;
  Result<std::shared_ptr<void>> allocate(int64_t bytes,
                                         void *stream) const override;
  Result<void> writeZeros(const TensorView &view, void *stream) const override {
    cuda::ContextScope scope(context);
    return enqueueZeros(view, stream);
  }
  Result<bool> isCapturing(void *stream) const override {
    cuda::ContextScope scope(context);
    return attn::isCapturing(stream);
  }

  /// Compiled and loaded if need be.
  Result<const Variant *> compiled(size_t place) const;
  /// The same, which a stream that is being captured does not allow.
  Result<const Variant *> variantFor(const Launch &launch,
                                     const GradientArguments &arguments) const;
  Result<void> prepare(const LaunchRange &range) const;
  LaunchMemory memoryOf(const GradientArguments &arguments) const;

  KernelDescription description;
  SharedSource source;
  LaunchMemory expected; ///< as the spec says
  cuda::Context context = nullptr;
  cuda::Device device = 0;
  int64_t multiprocessors = 0;
  PlannedKernels<Variant> kernels;
};

} // namespace

static Result<Variant> loadVariant(const CUDAGradients &of, size_t place) {
  ATTN_TRY_ASSIGN(VariantImages made, of.source->variant(place));
  std::vector<cuda::LoadedKernel> loaded;
  for (const KernelImage &image : made.images) {
    ATTN_TRY_ASSIGN(std::vector<cuda::LoadedKernel> one,
                    cuda::LoadedKernel::load(image));
    loaded.push_back(std::move(one.front()));
  }
  Variant variant;
  variant.schedule = std::move(made.schedule);
  variant.plans = std::move(made.sums);
  size_t next = 0;
  while (next < loaded.size() - 2 * variant.plans.size())
    variant.kernels.push_back(std::move(loaded[next++]));
  for (size_t i = 0; i < variant.plans.size(); ++i, next += 2)
    variant.sums.add(std::move(loaded[next]), std::move(loaded[next + 1]));
  std::vector<KernelEntry> entries;
  std::vector<bool> ownKeys;
  for (const cuda::LoadedKernel &of : variant.kernels) {
    ownKeys.push_back(ownsKeys(of.entry()));
    entries.push_back(of.entry());
  }
  for (size_t i = 0; i < variant.sums.count(); ++i) {
    ownKeys.push_back(variant.plans[i].ownsKeys);
    entries.push_back(variant.sums.entryOfSlots(i));
  }
  ATTN_TRY_ASSIGN(
      variant.finders,
      GradientTileFinders::create(of.description, of.source, entries, ownKeys));
  return variant;
}

Result<const Variant *> CUDAGradients::compiled(size_t place) const {
  return kernels.get(place, [&] { return loadVariant(*this, place); });
}

Result<const Variant *>
CUDAGradients::variantFor(const Launch &launch,
                          const GradientArguments &a) const {
  size_t place = kernelFor(kernels.plan(), launch);
  if (const Variant *variant = kernels.find(place))
    return variant;
  ATTN_TRY_ASSIGN(bool capturing, isCapturing(a.stream));
  if (capturing)
    return unpreparedError("GradientKernel::prepare", sizesOf(a));
  return compiled(place);
}

Result<void> CUDAGradients::prepare(const LaunchRange &range) const {
  cuda::ContextScope scope(context);
  for (size_t place : kernelsFor(kernels.plan(), range)) {
    ATTN_TRY_ASSIGN(const Variant *variant, compiled(place));
    ATTN_TRY(variant->finders.prepare());
  }
  return {};
}

Result<void> CUDAGradients::prepare(const SizeRange *range) const {
  return prepare(launchRangeOf(range, expected, multiprocessors));
}

Result<void> CUDAGradients::prepare(const GradientArguments &a) const {
  LaunchMemory memory = memoryOf(a);
  ATTN_TRY(prepare(launchRangeOf(nullptr, memory, multiprocessors)));
  // TMA may not take a tensor.
  memory.sm90a = false;
  return prepare(launchRangeOf(nullptr, memory, multiprocessors));
}

Result<int64_t> CUDAGradients::spilledBytes(const SizeRange &range) const {
  cuda::ContextScope scope(context);
  LaunchRange launches = launchRangeOf(&range, expected, multiprocessors);
  int64_t bytes = 0;
  for (size_t place : kernelsFor(kernels.plan(), launches)) {
    ATTN_TRY_ASSIGN(const Variant *variant, compiled(place));
    for (const cuda::LoadedKernel &kernel : variant->kernels) {
      ATTN_TRY_ASSIGN(int64_t spilled, kernel.spilledBytes());
      bytes = std::max(bytes, spilled);
    }
  }
  return bytes;
}

LaunchMemory CUDAGradients::memoryOf(const GradientArguments &a) const {
  LaunchMemory memory = expected;
  for (const TensorView &view : {a.query, a.key, a.value, a.out, a.gradOut,
                                 a.gradQuery, a.gradKey, a.gradValue})
    memory.aligned &= isAligned(view);
  memory.sm90a &= memory.aligned;
  memory.unitCaptures = haveUnitStrides(a.captures);
  return memory;
}

Result<void> CUDAGradients::checkMemory(const GradientArguments &a) const {
  std::vector<std::pair<const char *, const void *>> all{
      {"query", a.query.data},
      {"key", a.key.data},
      {"value", a.value.data},
      {"out", a.out.data},
      {"lse", a.lse},
      {"gradOut", a.gradOut.data},
      {"gradLse", a.gradLse},
      {"gradQuery", a.gradQuery.data},
      {"gradKey", a.gradKey.data},
      {"gradValue", a.gradValue.data},
      {"workspace", a.workspace}};
  for (size_t i = 0; i < captures.size(); ++i)
    if (!captures[i].isScalar)
      all.push_back({captures[i].name.c_str(), a.captures[i].data});
  for (const float *gradient : a.gradCaptures)
    all.push_back({"gradCaptures", gradient});
  for (auto [name, data] : all)
    if (data)
      ATTN_TRY(cuda::checkMemory(name, data, device));
  return {};
}

Result<std::shared_ptr<void>> CUDAGradients::allocate(int64_t bytes,
                                                      void *) const {
  cuda::ContextScope scope(context);
  ATTN_TRY_ASSIGN(cuda::Buffer buffer, cuda::Buffer::allocate(bytes));
  auto owner = std::make_shared<cuda::Buffer>(std::move(buffer));
  return std::shared_ptr<void>(owner, owner->data());
}

/// Fills the parameters of all kernels.
static Result<std::vector<BoundParameters>> bindAll(const Variant &variant,
                                                    const GradientTiles &tiles,
                                                    Bindings &bindings,
                                                    void *stream) {
  std::vector<BoundParameters> all;
  size_t lists = 0;
  auto bindNextTiles = [&](const KernelEntry &kernel) {
    if (takes(kernel.signature, Role::ListOrder))
      bindTiles(bindings, tiles, lists++);
  };
  for (const cuda::LoadedKernel &kernel : variant.kernels) {
    bindNextTiles(kernel.entry());
    ATTN_TRY_ASSIGN(BoundParameters bound, kernel.bind(bindings, stream));
    all.push_back(std::move(bound));
  }
  for (size_t i = 0; i < variant.sums.count(); ++i) {
    bindNextTiles(variant.sums.entryOfSlots(i));
    ATTN_TRY(variant.sums.bind(i, bindings, stream, all));
  }
  return all;
}

/// One kernel after the other: what the first writes the others read.
static Result<void> launch(const Variant &variant, const GradientArguments &a,
                           const CaptureWorkspace &workspace,
                           const std::vector<BoundParameters> &bound) {
  for (size_t i = 0; i < variant.kernels.size(); ++i) {
    const KernelEntry &entry = variant.kernels[i].entry();
    const TensorView &owned = ownsKeys(entry) ? a.key : a.query;
    int64_t tile = ownsKeys(entry) ? entry.keyTile : entry.queryTile;
    int64_t tasks =
        owned.sizes[0] * owned.sizes[1] * ((owned.sizes[2] + tile - 1) / tile);
    ATTN_TRY(variant.kernels[i].launch(tasks, bound[i], a.stream));
  }
  return variant.sums.launch(
      workspace,
      {bound.begin() + static_cast<ptrdiff_t>(variant.kernels.size()),
       bound.end()},
      a.stream);
}

Result<void> CUDAGradients::run(const GradientArguments &a,
                                const CaptureWorkspace &workspace,
                                Bindings &bindings) const {
  cuda::ContextScope scope(context);
  Launch launched{launchSizesOf(sizesOf(a), multiprocessors), memoryOf(a)};
  while (true) {
    ATTN_TRY_ASSIGN(const Variant *variant, variantFor(launched, a));
    ATTN_TRY_ASSIGN(GradientTiles tiles, tilesFor(*this, variant->finders, a));
    Result<std::vector<BoundParameters>> bound =
        bindAll(*variant, tiles, bindings, a.stream);
    if (bound)
      return launch(*variant, a, workspace, *bound);
    // TMA may not take a tensor.
    if (!launched.memory.sm90a)
      return Error{bound.error()};
    launched.memory.sm90a = false;
  }
}

GradientImpl attn::createCUDAGradients(KernelDescription description,
                                       SharedSource source) {
  const KernelSpec &spec = description.spec;
  ATTN_TRY_ASSIGN(cuda::Context context, contextOf(spec));
  cuda::ContextScope scope(context);
  auto impl = std::make_shared<CUDAGradients>();
  ATTN_TRY_ASSIGN(impl->device, cuda::currentDevice());
  impl->context = cuda::currentContext();
  impl->spec = spec;
  impl->captures = description.captures;
  impl->wrt = description.wrt;
  ATTN_TRY_ASSIGN(cuda::DeviceInfo info, cuda::deviceInfo(impl->device));
  impl->multiprocessors = info.multiprocessors;
  ATTN_TRY_ASSIGN(impl->expected, expectedMemory(spec, impl->device));
  impl->kernels.setPlan(description.plan);
  impl->description = std::move(description);
  impl->source = std::move(source);
  ATTN_TRY_ASSIGN(
      const Variant *compiled,
      impl->compiled(kernelForAnySizes(impl->kernels.plan(), impl->expected)));
  const Variant &variant = *compiled;
  impl->schedule = variant.schedule;
  // They are the same for all variants.
  impl->sums = variant.plans;
  // Those for every GPU may be needed as well: their tiles are powers of two.
  impl->wholeQueries = 64;
  for (const cuda::LoadedKernel &kernel : variant.kernels)
    impl->wholeQueries = std::lcm(impl->wholeQueries, kernel.entry().queryTile);
  impl->sumsGradQuery =
      std::any_of(variant.kernels.begin(), variant.kernels.end(),
                  [](const cuda::LoadedKernel &kernel) {
                    return takes(kernel.entry().signature, Role::GradQuerySum);
                  });
  impl->finders = variant.finders;
  return std::shared_ptr<GradientKernel::Impl>(impl);
}
