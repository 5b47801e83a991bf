// Attention on NVIDIA GPUs.
//
// The plan that attn-select-schedule wrote (#attn.variants) says which kernel a
// launch takes; this file says what a launch and its memory are.
#include "CUDALaunch.h"
#include "CaptureViews.h"
#include "KernelImpl.h"
#include "PartMemory.h"
#include "PlannedKernels.h"
#include "StreamMemory.h"
#include "TilesImpl.h"

#include "attn/Conversion/ThreadKernels.h"
#include "attn/Runtime/LoadedKernel.h"
#include "attn/Support/Try.h"

#include <algorithm>
#include <optional>

using namespace attn;

static int64_t divideCeil(int64_t x, int64_t y) { return (x + y - 1) / y; }

namespace {

/// What is behind a kernel of parts.
struct Merging {
  cuda::LoadedKernel code;
  int64_t shares; ///< 0: chunks
  std::shared_ptr<cuda::StreamMemory> own;
};

/// A kernel of the plan.
struct Variant {
  cuda::LoadedKernel code;
  std::optional<Merging> merging;
  std::string schedule;
  std::optional<TileFinder> finder; ///< if it needs lists of tiles

  const KernelEntry &entry() const { return code.entry(); }
  /// The memory of one of parts, for all launches of a range.
  PartMemory partsFor(const KernelSpec &spec, const SizeRange &range) const {
    return merging->shares
               ? PartMemory::ofShares(entry(), spec, merging->shares)
               : PartMemory::ofChunks(entry(), spec, range);
  }
};

/// The one kernel of an image.
Result<cuda::LoadedKernel> loadOnly(const KernelImage &image) {
  ATTN_TRY_ASSIGN(std::vector<cuda::LoadedKernel> loaded,
                  cuda::LoadedKernel::load(image));
  return std::move(loaded.front());
}

/// `image`: of the kernel that merges what `parts` makes.
Result<Merging> mergingOf(const cuda::LoadedKernel &parts,
                          const KernelSpec &spec, const KernelImage &image) {
  ATTN_TRY_ASSIGN(cuda::LoadedKernel code, loadOnly(image));
  auto own = std::make_shared<cuda::StreamMemory>();
  if (parts.entry().chunk) // whose memory sizes say
    return Merging{std::move(code), 0, std::move(own)};
  int64_t count = spec.shares;
  if (!count) {
    ATTN_TRY_ASSIGN(count, parts.residentBlocks());
  }
  ATTN_TRY(
      own->reserve(PartMemory::ofShares(parts.entry(), spec, count).bytes()));
  return Merging{std::move(code), count, std::move(own)};
}

Result<Variant> loadVariant(const KernelDescription &description,
                            const SharedSource &source, size_t place) {
  ATTN_TRY_ASSIGN(VariantImages made, source->variant(place));
  Variant variant;
  ATTN_TRY_ASSIGN(variant.code, loadOnly(made.images.front()));
  if (hasParts(variant.entry())) {
    ATTN_TRY_ASSIGN(variant.merging, mergingOf(variant.code, description.spec,
                                               made.images.back()));
  }
  variant.schedule = std::move(made.schedule);
  const KernelEntry &entry = variant.entry();
  if (takes(entry.signature, Role::ListOrder)) {
    ATTN_TRY_ASSIGN(
        variant.finder,
        createTileFinder(description, source, entry.queryTile, entry.keyTile));
  }
  return variant;
}

struct CUDAKernel : public AttentionKernel::Impl {
  Result<void> run(const KernelArguments &arguments) const override;
  Result<void> writeEmptyRows(const KernelArguments &arguments) const override;
  Result<void> copyToHost(void *to, const void *from, int64_t bytes,
                          void *stream) const override {
    return copyFromGPU(context, to, from, bytes, stream);
  }
  Result<void> prepare(const SizeRange *range) const override;
  Result<int64_t> workspaceBytes(const SizeRange &range) const override;
  Result<int64_t> spilledBytes(const SizeRange &range) const override;
  Result<const Variant *> compiled(size_t place) const {
    return kernels.get(place,
                       [&] { return loadVariant(description, source, place); });
  }
  /// Compiled and loaded if need be, which a stream that is being captured
  /// does not allow.
  Result<const Variant *> variantFor(const Launch &launch,
                                     const KernelArguments &arguments) const;
  Result<Bindings> bindingsFor(const Variant &variant,
                               const KernelArguments &arguments,
                               TileLists &own) const;
  Result<void> launch(const Variant &variant, const KernelArguments &arguments,
                      const BoundParameters &parameters) const;
  Result<void> launchParts(const Variant &variant,
                           const KernelArguments &arguments,
                           Bindings &bindings) const;

  KernelDescription description;
  SharedSource source;
  LaunchMemory expected; ///< as the spec says
  cuda::Context context = nullptr;
  int64_t multiprocessors = 0;
  PlannedKernels<Variant> kernels;
};

} // namespace

Result<const Variant *> CUDAKernel::variantFor(const Launch &launch,
                                               const KernelArguments &a) const {
  size_t place = kernelFor(kernels.plan(), launch);
  if (const Variant *variant = kernels.find(place))
    return variant;
  if (a.stream) {
    ATTN_TRY_ASSIGN(bool capturing, isCapturing(a.stream));
    if (capturing)
      return unpreparedError("AttentionKernel::prepare", sizesOf(a));
  }
  return compiled(place);
}

Result<void> CUDAKernel::prepare(const SizeRange *range) const {
  cuda::ContextScope scope(context);
  LaunchRange launches = launchRangeOf(range, expected, multiprocessors);
  for (size_t place : kernelsFor(kernels.plan(), launches)) {
    ATTN_TRY_ASSIGN(const Variant *variant, compiled(place));
    // Of any sizes nobody knows how much.
    if (variant->merging && range)
      ATTN_TRY(variant->merging->own->reserve(
          variant->partsFor(spec, *range).bytes()));
  }
  return {};
}

Result<int64_t> CUDAKernel::spilledBytes(const SizeRange &range) const {
  cuda::ContextScope scope(context);
  LaunchRange launches = launchRangeOf(&range, expected, multiprocessors);
  int64_t bytes = 0;
  for (size_t place : kernelsFor(kernels.plan(), launches)) {
    ATTN_TRY_ASSIGN(const Variant *variant, compiled(place));
    ATTN_TRY_ASSIGN(int64_t spilled, variant->code.spilledBytes());
    bytes = std::max(bytes, spilled);
  }
  return bytes;
}

Result<int64_t> CUDAKernel::workspaceBytes(const SizeRange &range) const {
  cuda::ContextScope scope(context);
  LaunchRange launches = launchRangeOf(&range, expected, multiprocessors);
  int64_t bytes = 0;
  for (size_t place : kernelsFor(kernels.plan(), launches)) {
    ATTN_TRY_ASSIGN(const Variant *variant, compiled(place));
    if (variant->merging)
      bytes = std::max(bytes, variant->partsFor(spec, range).bytes());
  }
  return bytes;
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
  const KernelEntry &entry = variant.entry();
  int64_t heads = a.query.sizes[1], rows = a.query.sizes[2];
  if (entry.packsHeads)
    rows *= heads / a.key.sizes[1], heads = a.key.sizes[1];
  // Of ragged queries as countSequenceTiles() of the lowering has it.
  int64_t sequences = a.queryStarts.sequences;
  int64_t tiles = !spec.raggedQueries ? divideCeil(rows, entry.queryTile)
                  : sequences         ? rows / entry.queryTile + sequences
                                      : 0;
  return variant.code.launch(a.query.sizes[0] * heads * tiles, parameters,
                             a.stream);
}

Result<void> CUDAKernel::launchParts(const Variant &variant,
                                     const KernelArguments &a,
                                     Bindings &bindings) const {
  const cuda::LoadedKernel &merge = variant.merging->code;
  ProblemSizes sizes = sizesOf(a);
  PartMemory parts = variant.partsFor(spec, {sizes, sizes});
  ATTN_TRY(checkWorkspace(a.workspace, parts));
  void *memory = a.workspace.data;
  if (!memory) {
    ATTN_TRY_ASSIGN(memory, variant.merging->own->of(a.stream, parts.bytes()));
    if (!memory)
      return Error{"expects a workspace, or AttentionKernel::prepare for these "
                   "sizes, before a stream capture: it needs " +
                   std::to_string(parts.bytes()) + " bytes"};
  }
  parts = parts.forLaunch(variant.entry(), sizes);
  parts.bind(bindings, memory);
  ATTN_TRY(variant.code.launch(parts.tasks, bindings, a.stream));
  int64_t threads =
      parts.mergeTasks(variant.entry(), sizes) * mlir::attn::teamThreads;
  int64_t blocks = divideCeil(threads, merge.entry().threads);
  return merge.launch(blocks, bindings, a.stream);
}

Result<void> CUDAKernel::run(const KernelArguments &a) const {
  if (a.query.sizes[0] * a.query.sizes[1] * a.query.sizes[2] == 0)
    return {};
  cuda::ContextScope scope(context);
  Launch launched{launchSizesOf(sizesOf(a), multiprocessors), expected};
  LaunchMemory &memory = launched.memory;
  for (const TensorView &view : {a.query, a.key, a.value, a.out})
    memory.aligned &= isAligned(view);
  memory.sm90a &= memory.aligned;
  memory.unitCaptures = haveUnitStrides(a.captures);
  while (true) {
    ATTN_TRY_ASSIGN(const Variant *variant, variantFor(launched, a));
    TileLists own;
    ATTN_TRY_ASSIGN(Bindings bindings, bindingsFor(*variant, a, own));
    if (variant->merging)
      return launchParts(*variant, a, bindings);
    Result<BoundParameters> bound = variant->code.bind(bindings, a.stream);
    if (bound)
      return launch(*variant, a, *bound);
    // TMA may not take a tensor.
    if (!memory.sm90a)
      return Error{bound.error()};
    memory.sm90a = false;
  }
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

AttentionImpl attn::createCUDAKernel(KernelDescription description,
                                     SharedSource source) {
  const KernelSpec &spec = description.spec;
  ATTN_TRY_ASSIGN(cuda::Context context, contextOf(spec));
  cuda::ContextScope scope(context);
  ATTN_TRY_ASSIGN(cuda::Device device, cuda::currentDevice());
  auto impl = std::make_shared<CUDAKernel>();
  impl->context = cuda::currentContext();
  impl->spec = spec;
  impl->captures = description.captures;
  ATTN_TRY_ASSIGN(impl->expected, expectedMemory(spec, device));
  ATTN_TRY_ASSIGN(cuda::DeviceInfo info, cuda::deviceInfo(device));
  impl->multiprocessors = info.multiprocessors;
  impl->kernels.setPlan(description.plan);
  impl->description = std::move(description);
  impl->source = std::move(source);
  ATTN_TRY_ASSIGN(
      const Variant *variant,
      impl->compiled(kernelForAnySizes(impl->kernels.plan(), impl->expected)));
  const KernelEntry &entry = variant->entry();
  impl->schedule = variant->schedule;
  impl->finder = variant->finder;
  impl->queryTile = entry.queryTile, impl->keyTile = entry.keyTile;
  return std::shared_ptr<AttentionKernel::Impl>(impl);
}
