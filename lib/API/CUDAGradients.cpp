// Gradients on NVIDIA GPUs: some kernels, one after the other, for sm_90a or
// for every GPU, as for the forward pass (CUDAKernel.cpp), and those of
// captures.
#include "CUDACaptureSums.h"
#include "CUDAImage.h"
#include "CUDALaunch.h"
#include "CaptureViews.h"
#include "GradientImpl.h"
#include "KernelModule.h"
#include "ModImpl.h"
#include "TilesImpl.h"

#include "attn/Runtime/LoadedKernel.h"
#include "attn/Support/Try.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <numeric>
#include <tuple>

using namespace attn;

namespace {

/// Which family of kernels, for which memory; and whether it is the one that
/// given schedules are for.
struct Choice {
  bool sm90a = false, aligned = false, stridedCaptures = false;
  bool takesGiven = true;

  const char *target() const { return sm90a ? "sm90a" : "sm80"; }
  friend bool operator<(const Choice &a, const Choice &b) {
    return std::tie(a.sm90a, a.aligned, a.stridedCaptures, a.takesGiven) <
           std::tie(b.sm90a, b.aligned, b.stridedCaptures, b.takesGiven);
  }
};

/// The kernels of a choice, in the order of their launches; those of captures
/// come last.
struct Variant {
  std::vector<cuda::LoadedKernel> kernels;
  CUDACaptureSums sums;
  std::vector<CaptureSumPlan> plans; ///< of `sums`
  std::string schedule;
  GradientTileFinders finders;
};

struct CUDAGradients : public GradientKernel::Impl {
  explicit CUDAGradients(const Mod &mod) : mod(mod) {}

  Result<void> run(const GradientArguments &arguments, const CaptureWorkspace &,
                   Bindings &bindings) const override;
  Result<void> prepare(const GradientArguments *arguments) const override;
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

  /// Compiled and loaded if need be, which a stream that is being captured
  /// does not allow.
  Result<const Variant *> variantFor(const Choice &choice, void *stream) const;
  Result<const Variant *> compiled(const Choice &choice) const;
  /// Of the best family, for a launch's memory.
  Choice choiceFor(const GradientArguments &arguments) const;
  /// What is left for memory that the best family does not take.
  Choice forEveryGPU(Choice choice) const;
  bool isAligned(const GradientArguments &arguments) const;

  Mod mod;
  Choice best; ///< the family of kernels, and the memory that is expected
  cuda::Context context = nullptr;
  cuda::Device device = 0;
  mutable std::mutex mutex;
  mutable std::map<Choice, Variant> variants;
};

} // namespace

/// Of `kernel`, lowered. The images are in the order of launches.
static Result<Variant> load(const Mod &mod, const KernelModule &kernel,
                            const std::vector<KernelImage> &images) {
  std::vector<cuda::LoadedKernel> loaded;
  for (const KernelImage &image : images) {
    ATTN_TRY_ASSIGN(std::vector<cuda::LoadedKernel> one,
                    cuda::LoadedKernel::load(image));
    loaded.push_back(std::move(one.front()));
  }
  Variant variant;
  variant.schedule = kernel.schedule, variant.plans = kernel.sums;
  size_t next = 0;
  while (next < images.size() - 2 * kernel.sums.size())
    variant.kernels.push_back(std::move(loaded[next++]));
  for (size_t i = 0; i < kernel.sums.size(); ++i, next += 2)
    variant.sums.add(std::move(loaded[next]), std::move(loaded[next + 1]));
  std::vector<KernelEntry> entries;
  std::vector<bool> ownKeys;
  for (const cuda::LoadedKernel &of : variant.kernels) {
    ownKeys.push_back(ownsKeys(of.entry()));
    entries.push_back(of.entry());
  }
  for (size_t i = 0; i < variant.sums.count(); ++i) {
    ownKeys.push_back(variant.plans[i].ownsKeys);
    entries.push_back(variant.sums.entryOfPairs(i));
  }
  ATTN_TRY_ASSIGN(variant.finders, GradientTileFinders::compile(
                                       mod, Target::CUDA, entries, ownKeys));
  return variant;
}

static Result<Variant> compileVariant(const Mod &mod, const KernelSpec &given,
                                      const std::vector<int64_t> &wrt,
                                      const Choice &choice) {
  KernelSpec spec = given;
  if (!choice.takesGiven)
    spec.schedule.clear();
  spec.aligned = choice.aligned, spec.stridedCaptures = choice.stridedCaptures;
  std::unique_lock<std::mutex> lock(mod.impl().mutex);
  ATTN_TRY_ASSIGN(KernelModule kernel,
                  buildGradientModule(mod, spec, wrt, choice.target()));
  ATTN_TRY(
      lowerTiles(mod, *kernel.module, choice.target(), choice.stridedCaptures));
  ATTN_TRY_ASSIGN(std::vector<KernelImage> images,
                  compileCUDAImages(mod, *kernel.module,
                                    spec.exact || spec.type == ElementType::F32,
                                    choice.target()));
  lock.unlock();
  return load(mod, kernel, images);
}

Result<const Variant *> CUDAGradients::variantFor(const Choice &choice,
                                                  void *stream) const {
  std::unique_lock<std::mutex> lock(mutex);
  auto found = variants.find(choice);
  if (found != variants.end())
    return &found->second;
  lock.unlock();
  ATTN_TRY_ASSIGN(bool capturing, isCapturing(stream));
  if (capturing)
    return Error{"expects GradientKernel::prepare() for these sizes and this "
                 "memory before a stream capture: the kernels are not compiled "
                 "yet"};
  return compiled(choice);
}

Result<const Variant *> CUDAGradients::compiled(const Choice &choice) const {
  std::lock_guard<std::mutex> lock(mutex);
  auto found = variants.find(choice);
  if (found != variants.end())
    return &found->second;
  ATTN_TRY_ASSIGN(Variant variant, compileVariant(mod, spec, wrt, choice));
  return &(variants[choice] = std::move(variant));
}

Result<void> CUDAGradients::prepare(const GradientArguments *a) const {
  cuda::ContextScope scope(context);
  Choice choice = a ? choiceFor(*a) : best;
  std::vector<Choice> choices;
  if (choice.aligned || !best.sm90a)
    choices.push_back(choice);
  if (a && best.sm90a)
    choices.push_back(forEveryGPU(choice));
  for (const Choice &taken : choices) {
    ATTN_TRY_ASSIGN(const Variant *variant, compiled(taken));
    ATTN_TRY(variant->finders.prepare());
  }
  return {};
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

Choice CUDAGradients::choiceFor(const GradientArguments &a) const {
  Choice choice = best;
  choice.aligned = isAligned(a);
  choice.stridedCaptures = spec.stridedCaptures || !haveUnitStrides(a.captures);
  return choice;
}

Choice CUDAGradients::forEveryGPU(Choice choice) const {
  choice.sm90a = false, choice.takesGiven = !best.sm90a;
  return choice;
}

bool CUDAGradients::isAligned(const GradientArguments &a) const {
  for (const TensorView &view : {a.query, a.key, a.value, a.out, a.gradOut,
                                 a.gradQuery, a.gradKey, a.gradValue})
    if (!attn::isAligned(view))
      return false;
  return spec.aligned;
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
    bindNextTiles(variant.sums.entryOfPairs(i));
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
  Choice choice = choiceFor(a);
  if (best.sm90a && choice.aligned) {
    ATTN_TRY_ASSIGN(const Variant *variant, variantFor(choice, a.stream));
    ATTN_TRY_ASSIGN(GradientTiles tiles, tilesFor(*this, variant->finders, a));
    // TMA may not take a tensor.
    if (auto bound = bindAll(*variant, tiles, bindings, a.stream))
      return launch(*variant, a, workspace, *bound);
  }
  choice = forEveryGPU(choice);
  ATTN_TRY_ASSIGN(const Variant *variant, variantFor(choice, a.stream));
  ATTN_TRY_ASSIGN(GradientTiles tiles, tilesFor(*this, variant->finders, a));
  ATTN_TRY_ASSIGN(std::vector<BoundParameters> bound,
                  bindAll(*variant, tiles, bindings, a.stream));
  return launch(*variant, a, workspace, bound);
}

GradientImpl attn::createCUDAGradients(const Mod &mod, const KernelSpec &given,
                                       const std::vector<int64_t> &wrt) {
  ATTN_TRY_ASSIGN(cuda::Context context, contextOf(given));
  cuda::ContextScope scope(context);
  ATTN_TRY_ASSIGN(cuda::Device device, cuda::currentDevice());
  auto impl = std::make_shared<CUDAGradients>(mod);
  impl->context = cuda::currentContext();
  impl->device = device;
  impl->spec = withAlignment(given);
  impl->wrt = wrt;
  const KernelSpec &spec = impl->spec;
  std::optional<bool> producers;
  if (!spec.schedule.empty()) {
    ATTN_TRY_ASSIGN(producers,
                    gradientSchedulesHaveProducers(mod, spec.schedule));
  }
  ATTN_TRY_ASSIGN(bool sm90a, choosesSM90a(spec, producers, device));
  impl->best = {sm90a, spec.aligned, spec.stridedCaptures};
  ATTN_TRY_ASSIGN(Variant compiled, compileVariant(mod, spec, wrt, impl->best));
  const Variant &variant = impl->variants[impl->best] = std::move(compiled);
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
