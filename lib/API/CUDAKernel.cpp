// Attention on NVIDIA GPUs: the portable pipeline, PTX, the driver's JIT.
#include "CUDACode.h"
#include "KernelImpl.h"
#include "KernelModule.h"
#include "ModImpl.h"
#include "TilesImpl.h"

#include "attn/Pipelines/GPU.h"

#include "mlir/Pass/PassManager.h"

#include <mutex>
#include <optional>

using namespace attn;

namespace {

/// The code for one kind of memory.
struct Variant {
  CUDACode code;
  int64_t queryTile = 0, keyTile = 0;
  bool needsLists = false;
  std::vector<unsigned> captures; ///< which of the mod's captures it takes
  std::string schedule;
};

Result<Variant> compileVariant(const Mod &mod, const KernelSpec &spec) {
  std::lock_guard<std::mutex> lock(mod.impl().mutex);
  Result<KernelModule> kernel = buildKernelModule(mod, spec, "sm80");
  if (!kernel)
    return Error{kernel.error()};
  Variant variant;
  Result<void> lowered = mod.impl().collect("cannot be compiled", [&] {
    mlir::PassManager pm(&mod.impl().context);
    mlir::attn::buildGPUTilePipeline(pm, {});
    return pm.run(*kernel->module);
  });
  if (!lowered)
    return Error{lowered.error()};
  Result<std::vector<CUDACode>> code =
      loadCUDACode(mod, *kernel->module, {KernelModule::function},
                   /*exact=*/spec.type == ElementType::F32);
  if (!code)
    return Error{code.error()};
  variant.code = code->front();
  variant.captures = kernel->captures;
  variant.needsLists = kernel->needsLists;
  variant.queryTile = kernel->queryTile, variant.keyTile = kernel->keyTile;
  variant.schedule = kernel->schedule;
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

/// Compiled for aligned memory, with a variant for any other made when it is
/// first needed.
struct CUDAKernel : public AttentionKernel::Impl {
  explicit CUDAKernel(const Mod &mod) : mod(mod) {}

  Result<void> run(const KernelArguments &arguments) const override;
  Result<const Variant *> variantFor(bool aligned) const;

  Mod mod;
  mutable std::mutex mutex;
  mutable std::optional<Variant> aligned, unaligned;
};

} // namespace

Result<const Variant *> CUDAKernel::variantFor(bool wantsAligned) const {
  std::lock_guard<std::mutex> lock(mutex);
  std::optional<Variant> &variant = wantsAligned ? aligned : unaligned;
  if (!variant) {
    KernelSpec other = spec;
    other.aligned = wantsAligned;
    Result<Variant> compiled = compileVariant(mod, other);
    if (!compiled)
      return Error{compiled.error()};
    variant = std::move(*compiled);
  }
  return &*variant;
}

Result<void> CUDAKernel::run(const KernelArguments &a) const {
  bool allAligned = spec.aligned && isAligned(a.query) && isAligned(a.key) &&
                    isAligned(a.value) && isAligned(a.out);
  Result<const Variant *> found = variantFor(allAligned);
  if (!found)
    return Error{found.error()};
  const Variant &variant = **found;
  CUDAParameters parameters;
  for (const TensorView *view : {&a.query, &a.key, &a.value})
    parameters.add(*view);
  for (unsigned i : variant.captures)
    parameters.addCapture(captures[i], a.captures[i]);
  parameters.add(a.out);
  if (spec.lse)
    parameters.add(a.lse,
                   {a.query.sizes[0], a.query.sizes[1], a.query.sizes[2]});
  if (a.tiles) {
    const TileArguments &lists = a.tiles->impl().arguments;
    for (const TileArray *array :
         {&lists.order, &lists.firsts, &lists.counts, &lists.tiles})
      parameters.add(array->data, array->sizes);
  }
  int64_t tiles =
      (a.query.sizes[2] + variant.queryTile - 1) / variant.queryTile;
  return variant.code.launch(a.query.sizes[0] * a.query.sizes[1] * tiles,
                             parameters.pointers(), a.stream);
}

AttentionImpl attn::createCUDAKernel(const Mod &mod, const KernelSpec &spec) {
  if (Result<cuda::Device> device = cuda::ensureContext(); !device)
    return Error{device.error()};
  auto impl = std::make_shared<CUDAKernel>(mod);
  impl->spec = spec;
  int64_t width = byteWidth(spec.type);
  impl->spec.aligned = spec.aligned && spec.headDim * width % 16 == 0 &&
                       spec.valueDim * width % 16 == 0;
  Result<const Variant *> variant = impl->variantFor(impl->spec.aligned);
  if (!variant)
    return Error{variant.error()};
  impl->schedule = (*variant)->schedule;
  impl->needsLists = (*variant)->needsLists;
  impl->queryTile = (*variant)->queryTile, impl->keyTile = (*variant)->keyTile;
  return std::shared_ptr<AttentionKernel::Impl>(impl);
}
