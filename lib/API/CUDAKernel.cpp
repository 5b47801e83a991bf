// Attention on NVIDIA GPUs: PTX by the pipeline for this GPU, the driver's JIT.
//
// A kernel has variants, each compiled when it is first needed or prepared:
// those with the tensor copies and matrix instructions of sm_90a, and those for
// every GPU, for memory whose rows are aligned or not; each for captured
// tensors with an innermost stride of 1, whose neighbours share an address, or
// any. The plan that attn-select-schedule wrote (#attn.variants) says which
// schedule a launch takes; what its memory allows says the rest.
#include "CUDAImage.h"
#include "CUDALaunch.h"
#include "CaptureViews.h"
#include "KernelImpl.h"
#include "KernelModule.h"
#include "ModImpl.h"
#include "TilesImpl.h"

#include "attn/Dialect/Attn/IR/KernelSignature.h"
#include "attn/Runtime/LoadedKernel.h"
#include "attn/Support/Try.h"

#include "llvm/Support/MathExtras.h"

#include <map>
#include <mutex>
#include <optional>
#include <tuple>

using namespace attn;

namespace {

/// Which family of kernels, for which memory, with which schedule (as text;
/// empty: the one that is selected).
struct Choice {
  bool sm90a = false, aligned = false, stridedCaptures = false;
  std::string schedule;

  const char *target() const { return sm90a ? "sm90a" : "sm80"; }
  friend bool operator<(const Choice &a, const Choice &b) {
    return std::tie(a.sm90a, a.aligned, a.stridedCaptures, a.schedule) <
           std::tie(b.sm90a, b.aligned, b.stridedCaptures, b.schedule);
  }
};

/// The kernel of a choice.
struct Variant {
  cuda::LoadedKernel code;
  std::vector<KernelModule::Planned> plan;
  std::optional<TileFinder> finder; ///< if it needs lists of tiles

  const KernelEntry &entry() const { return code.entry(); }
};

/// `spec` with what a choice says.
KernelSpec specOf(const KernelSpec &spec, const Choice &choice) {
  KernelSpec result = spec;
  result.aligned = choice.aligned;
  result.stridedCaptures = choice.stridedCaptures;
  result.schedule = choice.schedule;
  return result;
}

/// The module with its tiles lowered. The caller holds the mod's mutex.
Result<KernelModule> lower(const Mod &mod, const KernelSpec &spec,
                           const Choice &choice) {
  ATTN_TRY_ASSIGN(
      KernelModule kernel,
      buildKernelModule(mod, specOf(spec, choice), choice.target()));
  ATTN_TRY(
      lowerTiles(mod, *kernel.module, choice.target(), choice.stridedCaptures));
  return kernel;
}

Result<Variant> compileVariant(const Mod &mod, const KernelSpec &spec,
                               const Choice &choice) {
  std::unique_lock<std::mutex> lock(mod.impl().mutex);
  ATTN_TRY_ASSIGN(KernelModule kernel, lower(mod, spec, choice));
  ATTN_TRY_ASSIGN(KernelImage image,
                  compileCUDAImage(mod, *kernel.module,
                                   spec.exact || spec.type == ElementType::F32,
                                   choice.target()));
  lock.unlock();
  ATTN_TRY_ASSIGN(std::vector<cuda::LoadedKernel> loaded,
                  cuda::LoadedKernel::load(image));
  Variant variant;
  variant.code = std::move(loaded.front());
  variant.plan = std::move(kernel.plan);
  const KernelEntry &entry = variant.entry();
  if (takes(entry.signature, Role::ListOrder)) {
    ATTN_TRY_ASSIGN(
        variant.finder,
        TileFinder::compile(mod, Target::CUDA, entry.queryTile, entry.keyTile));
  }
  return variant;
}

struct CUDAKernel : public AttentionKernel::Impl {
  explicit CUDAKernel(const Mod &mod) : mod(mod) {}

  Result<void> run(const KernelArguments &arguments) const override;
  Result<void> writeEmptyRows(const KernelArguments &arguments) const override;
  Result<void> prepare(const ProblemSizes *sizes) const override;
  /// Compiled and loaded if need be, which a stream that is being captured
  /// does not allow.
  Result<const Variant *> variantFor(const Choice &choice, void *stream) const;
  const std::string &scheduleFor(const LaunchSizes &sizes) const;
  Result<Bindings> bindingsFor(const Variant &variant,
                               const KernelArguments &arguments,
                               TileLists &own) const;
  Result<void> launch(const Variant &variant, const KernelArguments &arguments,
                      const BoundParameters &parameters) const;

  Mod mod;
  Choice best; ///< the family of kernels, and the memory that is expected
  std::vector<KernelModule::Planned> plan; ///< of the best family
  cuda::Context context = nullptr;
  int64_t multiprocessors = 0;
  mutable std::mutex mutex;
  mutable std::map<Choice, Variant> variants;
};

} // namespace

Result<const Variant *> CUDAKernel::variantFor(const Choice &choice,
                                               void *stream) const {
  std::lock_guard<std::mutex> lock(mutex);
  auto found = variants.find(choice);
  if (found != variants.end())
    return &found->second;
  if (stream) {
    ATTN_TRY_ASSIGN(bool capturing, isCapturing(stream));
    if (capturing)
      return Error{"expects AttentionKernel::prepare() for these sizes and "
                   "this memory before a stream capture: the kernel is not "
                   "compiled yet"};
  }
  ATTN_TRY_ASSIGN(Variant compiled, compileVariant(mod, spec, choice));
  return &(variants[choice] = std::move(compiled));
}

/// The first of the plan whose guard holds.
const std::string &CUDAKernel::scheduleFor(const LaunchSizes &sizes) const {
  for (const KernelModule::Planned &planned : plan)
    if (planned.guard.holds(sizes))
      return planned.schedule;
  return plan.back().schedule;
}

Result<void> CUDAKernel::prepare(const ProblemSizes *sizes) const {
  cuda::ContextScope scope(context);
  std::vector<std::string> schedules;
  if (sizes)
    schedules.push_back(scheduleFor({sizes->batch, sizes->heads, sizes->queries,
                                     sizes->keys, multiprocessors}));
  else
    for (const KernelModule::Planned &planned : plan)
      schedules.push_back(planned.schedule);
  for (const std::string &schedule : schedules) {
    Choice choice = best;
    choice.schedule = schedule;
    ATTN_TRY(variantFor(choice, nullptr));
  }
  return {};
}

/// `own`: lists that the launch reads and the caller did not give.
Result<Bindings> CUDAKernel::bindingsFor(const Variant &variant,
                                         const KernelArguments &a,
                                         TileLists &own) const {
  Bindings bindings = bindingsOf(*this, a);
  if (!variant.finder)
    return bindings;
  // Finding them takes memory.
  if (a.stream && !hasListsFor(*variant.finder, a)) {
    ATTN_TRY_ASSIGN(bool capturing, isCapturing(a.stream));
    if (capturing)
      return Error{"expects lists of tiles (AttentionKernel::findTiles) for a "
                   "launch in a stream capture"};
  }
  ATTN_TRY_ASSIGN(const TileLists *found, listsFor(*variant.finder, a, own));
  found->impl().arguments.bind(bindings);
  return bindings;
}

Result<void> CUDAKernel::launch(const Variant &variant,
                                const KernelArguments &a,
                                const BoundParameters &parameters) const {
  int64_t tiles = llvm::divideCeil(a.query.sizes[2], variant.entry().queryTile);
  return variant.code.launch(a.query.sizes[0] * a.query.sizes[1] * tiles,
                             parameters, a.stream);
}

Result<void> CUDAKernel::run(const KernelArguments &a) const {
  if (a.query.sizes[0] * a.query.sizes[1] * a.query.sizes[2] == 0)
    return {};
  cuda::ContextScope scope(context);
  bool aligned = spec.aligned && isAligned(a.query) && isAligned(a.key) &&
                 isAligned(a.value) && isAligned(a.out);
  bool strided = spec.stridedCaptures || !haveUnitStrides(a.captures);
  TileLists own;
  Choice choice = best;
  choice.aligned = aligned, choice.stridedCaptures = strided;
  choice.schedule =
      scheduleFor({a.query.sizes[0], a.query.sizes[1], a.query.sizes[2],
                   a.key.sizes[2], multiprocessors});
  if (best.sm90a && aligned) {
    ATTN_TRY_ASSIGN(const Variant *variant, variantFor(choice, a.stream));
    ATTN_TRY_ASSIGN(Bindings bindings, bindingsFor(*variant, a, own));
    // TMA may not take a tensor.
    if (Result<BoundParameters> bound = variant->code.bind(bindings, a.stream))
      return launch(*variant, a, *bound);
  }
  if (best.sm90a || (aligned != best.aligned && spec.schedule.empty()))
    choice.schedule.clear();
  choice.sm90a = false;
  ATTN_TRY_ASSIGN(const Variant *variant, variantFor(choice, a.stream));
  ATTN_TRY_ASSIGN(Bindings bindings, bindingsFor(*variant, a, own));
  ATTN_TRY_ASSIGN(BoundParameters bound,
                  variant->code.bind(bindings, a.stream));
  return launch(*variant, a, bound);
}

Result<void> CUDAKernel::writeEmptyRows(const KernelArguments &a) const {
  ATTN_TRY_ASSIGN(const cuda::Driver *driver, cuda::driver());
  const cuda::Driver &cu = *driver;
  cuda::ContextScope scope(context);
  int64_t rows = a.out.sizes[0] * a.out.sizes[1] * a.out.sizes[2];
  if (rows == 0)
    return {};
  ATTN_TRY(enqueueZeros(a.out, a.stream));
  if (!a.lse)
    return {};
  constexpr unsigned minusInfinity = 0xFF800000;
  return cu.check(cu.memsetD32Async(
                      reinterpret_cast<cuda::DevicePointer>(a.lse),
                      minusInfinity, rows, static_cast<cuda::Stream>(a.stream)),
                  "cuMemsetD32Async");
}

/// Whether the kernels for sm_90a are the best. Errors: a schedule that this
/// GPU cannot run.
static Result<bool> isForSM90a(const Mod &mod, const KernelSpec &spec,
                               cuda::Device device) {
  std::optional<bool> producers;
  if (!spec.schedule.empty()) {
    ATTN_TRY_ASSIGN(producers, scheduleHasProducers(mod, spec.schedule));
  }
  return choosesSM90a(spec, producers, device);
}

Result<void> attn::checkCUDAKernel(const Mod &mod, const KernelSpec &given) {
  ATTN_TRY_ASSIGN(cuda::Context context, contextOf(given));
  cuda::ContextScope scope(context);
  ATTN_TRY_ASSIGN(cuda::Device device, cuda::currentDevice());
  KernelSpec spec = withAlignment(given);
  ATTN_TRY_ASSIGN(bool sm90a, isForSM90a(mod, spec, device));
  ATTN_TRY_ASSIGN(cuda::DeviceInfo info, cuda::deviceInfo(device));
  std::lock_guard<std::mutex> lock(mod.impl().mutex);
  ATTN_TRY_ASSIGN(
      KernelModule kernel,
      lower(mod, spec,
            {sm90a, spec.aligned, spec.stridedCaptures, spec.schedule}));
  int64_t bytes = 0;
  kernel.module->walk([&](mlir::Operation *op) {
    if (auto func = mlir::dyn_cast<mlir::FunctionOpInterface>(op))
      bytes = std::max(bytes, mlir::attn::sharedBytesOf(func));
  });
  if (bytes > info.maxSharedBytes)
    return Error{"the kernel needs " + std::to_string(bytes) +
                 " bytes of shared memory per block, this GPU has " +
                 std::to_string(info.maxSharedBytes)};
  return {};
}

AttentionImpl attn::createCUDAKernel(const Mod &mod, const KernelSpec &spec) {
  ATTN_TRY_ASSIGN(cuda::Context context, contextOf(spec));
  cuda::ContextScope scope(context);
  ATTN_TRY_ASSIGN(cuda::Device device, cuda::currentDevice());
  auto impl = std::make_shared<CUDAKernel>(mod);
  impl->context = cuda::currentContext();
  impl->spec = withAlignment(spec);
  ATTN_TRY_ASSIGN(bool sm90a, isForSM90a(mod, impl->spec, device));
  impl->best = {sm90a, impl->spec.aligned, spec.stridedCaptures, {}};
  ATTN_TRY_ASSIGN(cuda::DeviceInfo info, cuda::deviceInfo(device));
  impl->multiprocessors = info.multiprocessors;
  // The kernel for any launch, whose schedule is known behind it.
  Choice choice = impl->best;
  choice.schedule = spec.schedule;
  ATTN_TRY_ASSIGN(Variant compiled, compileVariant(mod, impl->spec, choice));
  impl->plan = compiled.plan;
  choice.schedule = impl->plan.back().schedule;
  const Variant &variant = impl->variants[choice] = std::move(compiled);
  const KernelEntry &entry = variant.entry();
  impl->schedule = entry.schedule;
  impl->finder = variant.finder;
  impl->queryTile = entry.queryTile, impl->keyTile = entry.keyTile;
  return std::shared_ptr<AttentionKernel::Impl>(impl);
}
