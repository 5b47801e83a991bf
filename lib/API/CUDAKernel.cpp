// Attention on NVIDIA GPUs: PTX by the pipeline for this GPU, the driver's JIT.
//
// A kernel has variants, each compiled when it is first needed: those with the
// tensor copies and matrix instructions of sm_90a, two of them for problems
// that would leave multiprocessors idle and one for short rows, and those for
// every GPU, for memory whose rows are aligned or not; each for captured
// tensors with an innermost stride of 1, whose neighbours share an address, or
// any. What a launch's memory allows, and its lengths, say which one runs.
#include "CUDAImage.h"
#include "CaptureViews.h"
#include "KernelImpl.h"
#include "KernelModule.h"
#include "ModImpl.h"
#include "TilesImpl.h"

#include "attn/Dialect/Attn/IR/KernelSignature.h"
#include "attn/Pipelines/GPU.h"
#include "attn/Runtime/LoadedKernel.h"

#include "mlir/Pass/PassManager.h"

#include "llvm/Support/MathExtras.h"

#include <mutex>
#include <optional>

using namespace attn;

namespace {

enum class Path {
  SM90a,
  SM90aFewTasks,
  SM90aFewRounds,
  SM90aShortRows,
  Aligned,
  Any
};
constexpr size_t pathCount = 6;

mlir::attn::ProblemKind problemOf(Path path) {
  using mlir::attn::ProblemKind;
  return path == Path::SM90aFewTasks    ? ProblemKind::FewTasks
         : path == Path::SM90aFewRounds ? ProblemKind::FewRounds
         : path == Path::SM90aShortRows ? ProblemKind::ShortRows
                                        : ProblemKind::Any;
}

/// The code for one kind of memory.
struct Variant {
  cuda::LoadedKernel code;
  std::optional<TileFinder> finder; ///< if it needs lists of tiles

  const KernelEntry &entry() const { return code.entry(); }
};

/// The module with its tiles lowered. The caller holds the mod's mutex.
Result<KernelModule> lower(const Mod &mod, const KernelSpec &spec,
                           const char *target, mlir::attn::ProblemKind problem,
                           bool stridedCaptures) {
  Result<KernelModule> kernel = buildKernelModule(mod, spec, target, problem);
  if (!kernel)
    return kernel;
  Result<void> lowered = mod.impl().collect("cannot be compiled", [&] {
    mlir::PassManager pm(&mod.impl().context);
    mlir::attn::GPUPipelineOptions options;
    options.target = target;
    options.stridedCaptures = stridedCaptures;
    mlir::attn::buildGPUTilePipeline(pm, options);
    return pm.run(*kernel->module);
  });
  if (!lowered)
    return Error{lowered.error()};
  return kernel;
}

Result<Variant> compileVariant(const Mod &mod, const KernelSpec &spec,
                               const char *target,
                               mlir::attn::ProblemKind problem,
                               bool stridedCaptures) {
  std::unique_lock<std::mutex> lock(mod.impl().mutex);
  Result<KernelModule> kernel =
      lower(mod, spec, target, problem, stridedCaptures);
  if (!kernel)
    return Error{kernel.error()};
  Result<KernelImage> image =
      compileCUDAImage(mod, *kernel->module,
                       spec.exact || spec.type == ElementType::F32, target);
  if (!image)
    return Error{image.error()};
  lock.unlock();
  Result<std::vector<cuda::LoadedKernel>> loaded =
      cuda::LoadedKernel::load(*image);
  if (!loaded)
    return Error{loaded.error()};
  Variant variant;
  variant.code = std::move(loaded->front());
  const KernelEntry &entry = variant.entry();
  if (takes(entry.signature, Role::ListOrder)) {
    Result<TileFinder> finder =
        TileFinder::compile(mod, Target::CUDA, entry.queryTile, entry.keyTile);
    if (!finder)
      return Error{finder.error()};
    variant.finder = std::move(*finder);
  }
  return variant;
}

/// Whether every row starts at a multiple of 16 bytes.
bool isAligned(const TensorView &view) {
  int64_t width = byteWidth(view.type);
  if (reinterpret_cast<uintptr_t>(view.data) % 16)
    return false;
  for (int i = 0; i < 3; ++i)
    if (view.sizes[i] > 1 && view.strides[i] * width % 16)
      return false;
  return view.sizes[3] * width % 16 == 0;
}

/// Whether this GPU and its driver run code for sm_90a (PTX 8.6: CUDA 12.7).
Result<bool> runsSM90a(cuda::Device device) {
  Result<cuda::DeviceInfo> info = cuda::deviceInfo(device);
  if (!info)
    return Error{info.error()};
  return info->computeMajor == 9 && info->computeMinor == 0 &&
         info->driverVersion >= 12070;
}

struct CUDAKernel : public AttentionKernel::Impl {
  explicit CUDAKernel(const Mod &mod) : mod(mod) {}

  Result<void> run(const KernelArguments &arguments) const override;
  Result<void> writeEmptyRows(const KernelArguments &arguments) const override;
  Result<const Variant *> variantFor(Path path, bool stridedCaptures) const;
  int64_t busiestRows(const KernelArguments &arguments, int64_t rows) const;
  Path sm90aPathFor(const KernelArguments &arguments) const;
  Result<BoundParameters> bind(const Variant &variant,
                               const KernelArguments &arguments,
                               TileLists &own) const;
  Result<void> launch(const Variant &variant, const KernelArguments &arguments,
                      const BoundParameters &parameters) const;

  Mod mod;
  Path best = Path::Any;
  int64_t multiprocessors = 0;
  mutable std::mutex mutex;
  mutable std::optional<Variant> variants[pathCount][2];
};

} // namespace

Result<const Variant *> CUDAKernel::variantFor(Path path,
                                               bool stridedCaptures) const {
  std::lock_guard<std::mutex> lock(mutex);
  std::optional<Variant> &variant =
      variants[static_cast<int>(path)][stridedCaptures];
  if (!variant) {
    KernelSpec other = spec;
    other.aligned = path != Path::Any;
    if (best == Path::SM90a && path != best)
      other.schedule.clear();
    Result<Variant> compiled =
        compileVariant(mod, other, path < Path::Aligned ? "sm90a" : "sm80",
                       problemOf(path), stridedCaptures);
    if (!compiled)
      return Error{compiled.error()};
    variant = std::move(*compiled);
  }
  return &*variant;
}

/// Rows that a multiprocessor computes if the tasks of a launch are tiles of
/// `rows` queries, as many for each as for the busiest.
int64_t CUDAKernel::busiestRows(const KernelArguments &a, int64_t rows) const {
  int64_t tasks = a.query.sizes[0] * a.query.sizes[1] *
                  llvm::divideCeil(a.query.sizes[2], rows);
  return llvm::divideCeil(tasks, multiprocessors) * rows;
}

/// Tiles of 64 queries that all run at once are few tasks. Up to 64 channels,
/// two groups of 64 rows take 1.25 times as long for a row as three, and yet
/// may have done first. Which rows are short depends on their width
/// (docs/performance.md). Lists are for the tiles of the first kernel, and
/// a schedule that was given stays.
Path CUDAKernel::sm90aPathFor(const KernelArguments &a) const {
  if (finder || !spec.schedule.empty())
    return Path::SM90a;
  if (busiestRows(a, 64) == 64)
    return Path::SM90aFewTasks;
  int64_t widest = std::max(spec.headDim, spec.valueDim);
  if (widest <= 64 && 5 * busiestRows(a, 128) < 4 * busiestRows(a, 192))
    return Path::SM90aFewRounds;
  int64_t shortRow = widest <= 128 ? 1024 : widest <= 192 ? 2048 : 512;
  return a.key.sizes[2] <= shortRow ? Path::SM90aShortRows : Path::SM90a;
}

/// `own`: lists that the launch reads and the caller did not give.
Result<BoundParameters> CUDAKernel::bind(const Variant &variant,
                                         const KernelArguments &a,
                                         TileLists &own) const {
  Bindings bindings = bindingsOf(*this, a);
  if (variant.finder) {
    Result<const TileLists *> found = listsFor(*variant.finder, a, own);
    if (!found)
      return Error{found.error()};
    (*found)->impl().arguments.bind(bindings);
  }
  return variant.code.bind(bindings);
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
  bool aligned = spec.aligned && isAligned(a.query) && isAligned(a.key) &&
                 isAligned(a.value) && isAligned(a.out);
  bool strided = spec.stridedCaptures || !haveUnitStrides(a.captures);
  TileLists own;
  if (aligned && best == Path::SM90a) {
    Result<const Variant *> variant = variantFor(sm90aPathFor(a), strided);
    if (!variant)
      return Error{variant.error()};
    // The copy engine may not take a tensor.
    if (Result<BoundParameters> bound = bind(**variant, a, own))
      return launch(**variant, a, *bound);
  }
  Result<const Variant *> variant =
      variantFor(aligned ? Path::Aligned : Path::Any, strided);
  if (!variant)
    return Error{variant.error()};
  Result<BoundParameters> bound = bind(**variant, a, own);
  return bound ? launch(**variant, a, *bound) : Error{bound.error()};
}

Result<void> CUDAKernel::writeEmptyRows(const KernelArguments &a) const {
  Result<const cuda::Driver *> driver = cuda::driver();
  if (!driver)
    return Error{driver.error()};
  const cuda::Driver &cu = **driver;
  auto stream = static_cast<cuda::Stream>(a.stream);
  auto [batches, heads, queries, channels] = a.out.sizes;
  if (batches * heads * queries == 0)
    return {};
  int64_t width = byteWidth(a.out.type), bytes = channels * width;
  // Rows that do not lie one after the other are filled one by one.
  int64_t pitch = a.out.strides[2] * width;
  int64_t height = queries == 1 || pitch >= bytes ? queries : 1;
  if (height == 1)
    pitch = bytes;
  for (int64_t b = 0; b < batches; ++b)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t q = 0; q < queries; q += height) {
        int64_t row =
            b * a.out.strides[0] + h * a.out.strides[1] + q * a.out.strides[2];
        auto to = reinterpret_cast<cuda::DevicePointer>(a.out.data);
        Result<void> cleared =
            cu.check(cu.memsetD2D8Async(to + row * width, pitch, 0, bytes,
                                        height, stream),
                     "cuMemsetD2D8Async");
        if (!cleared)
          return cleared;
      }
  if (!a.lse)
    return {};
  constexpr unsigned minusInfinity = 0xFF800000;
  return cu.check(
      cu.memsetD32Async(reinterpret_cast<cuda::DevicePointer>(a.lse),
                        minusInfinity, batches * heads * queries, stream),
      "cuMemsetD32Async");
}

/// The kernel to compile first. Errors: a schedule that this GPU cannot run.
static Result<Path> choosePath(const Mod &mod, const KernelSpec &spec,
                               cuda::Device device) {
  Result<bool> sm90a = runsSM90a(device);
  if (!sm90a)
    return Error{sm90a.error()};
  Path portable = spec.aligned ? Path::Aligned : Path::Any;
  if (!spec.schedule.empty()) {
    Result<bool> producers = scheduleHasProducers(mod, spec.schedule);
    if (!producers)
      return Error{producers.error()};
    if (!*producers)
      return portable;
    if (!*sm90a || spec.portable)
      return Error{"expects a schedule without producers: only GPUs of compute "
                   "capability 9.0 run those"};
    if (!spec.aligned || spec.type == ElementType::F32)
      return Error{"expects a schedule without producers for f32 or rows that "
                   "do not start at multiples of 16 bytes"};
    return Path::SM90a;
  }
  bool fits =
      *sm90a && !spec.portable && spec.aligned && spec.type != ElementType::F32;
  return fits ? Path::SM90a : portable;
}

/// `spec` with what its dimensions say of alignment.
static KernelSpec withAlignment(const KernelSpec &spec) {
  KernelSpec result = spec;
  int64_t width = byteWidth(spec.type);
  result.aligned = spec.aligned && spec.headDim * width % 16 == 0 &&
                   spec.valueDim * width % 16 == 0;
  return result;
}

Result<void> attn::checkCUDAKernel(const Mod &mod, const KernelSpec &given) {
  Result<cuda::Device> device = cuda::ensureContext();
  if (!device)
    return Error{device.error()};
  KernelSpec spec = withAlignment(given);
  Result<Path> path = choosePath(mod, spec, *device);
  if (!path)
    return Error{path.error()};
  Result<cuda::DeviceInfo> info = cuda::deviceInfo(*device);
  if (!info)
    return Error{info.error()};
  std::lock_guard<std::mutex> lock(mod.impl().mutex);
  Result<KernelModule> kernel =
      lower(mod, spec, *path == Path::SM90a ? "sm90a" : "sm80",
            mlir::attn::ProblemKind::Any, spec.stridedCaptures);
  if (!kernel)
    return Error{kernel.error()};
  int64_t bytes = 0;
  kernel->module->walk([&](mlir::Operation *op) {
    if (auto func = mlir::dyn_cast<mlir::FunctionOpInterface>(op))
      bytes = std::max(bytes, mlir::attn::sharedBytesOf(func));
  });
  if (bytes > info->maxSharedBytes)
    return Error{"the kernel needs " + std::to_string(bytes) +
                 " bytes of shared memory per block, this GPU has " +
                 std::to_string(info->maxSharedBytes)};
  return {};
}

AttentionImpl attn::createCUDAKernel(const Mod &mod, const KernelSpec &spec) {
  Result<cuda::Device> device = cuda::ensureContext();
  if (!device)
    return Error{device.error()};
  auto impl = std::make_shared<CUDAKernel>(mod);
  impl->spec = withAlignment(spec);
  Result<Path> path = choosePath(mod, impl->spec, *device);
  if (!path)
    return Error{path.error()};
  impl->best = *path;
  Result<cuda::DeviceInfo> info = cuda::deviceInfo(*device);
  if (!info)
    return Error{info.error()};
  impl->multiprocessors = info->multiprocessors;
  Result<const Variant *> variant =
      impl->variantFor(*path, spec.stridedCaptures);
  if (!variant)
    return Error{variant.error()};
  const KernelEntry &entry = (*variant)->entry();
  impl->schedule = entry.schedule;
  impl->finder = (*variant)->finder;
  impl->queryTile = entry.queryTile, impl->keyTile = entry.keyTile;
  return std::shared_ptr<AttentionKernel::Impl>(impl);
}
