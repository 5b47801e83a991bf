// Kernels out of a package: a source of images without a compiler.
#include "PackageImpl.h"

#include "attn/Support/Try.h"

#include <algorithm>
#include <chrono>

using namespace attn;

namespace {
/// Shares the package that it takes images from.
struct PackageSource final : KernelSource {
  PackageSource(const PackagedKernels &kernels, const KernelPackage &package)
      : kernels(kernels), package(package) {}

  Result<VariantImages> variant(size_t place) const override {
    if (kernels.variants[place].images.empty())
      return Error{"expects a launch that the package has a kernel for: it was "
                   "made without those for every GPU"};
    return kernels.variants[place];
  }

  Result<KernelImage> tiles(TileGroup group, int64_t queryTile,
                            int64_t keyTile) const override {
    for (const PackagedTiles &tiles : kernels.tiles)
      if (tiles.group == group && tiles.queryTile == queryTile &&
          tiles.keyTile == keyTile)
        return tiles.image;
    return Error{std::string("the package has no functions for ") +
                 toString(group) + " of " + std::to_string(queryTile) + " x " +
                 std::to_string(keyTile) + " tiles"};
  }

  const PackagedKernels &kernels;
  KernelPackage package;
};
} // namespace

static KernelDescription describe(const PackagedKernels &kernels,
                                  std::optional<int> device) {
  KernelDescription description = kernels.description;
  description.spec.device = device;
  return description;
}

AttentionImpl attn::createKernel(const KernelPackage &package,
                                 std::optional<int> device) {
  const PackagedKernels &kernels = package.impl().forward;
  auto source = std::make_shared<PackageSource>(kernels, package);
  bool isForCPU = package.spec().target == Target::CPU;
  return (isForCPU ? createCPUKernel : createCUDAKernel)(
      describe(kernels, device), std::move(source));
}

GradientImpl attn::createGradients(const KernelPackage &package,
                                   std::optional<int> device) {
  const PackagedKernels &kernels = *package.impl().gradients;
  auto source = std::make_shared<PackageSource>(kernels, package);
  bool isForCPU = package.spec().target == Target::CPU;
  return (isForCPU ? createCPUGradients : createCUDAGradients)(
      describe(kernels, device), std::move(source));
}

/// Makes it, and says how long that took.
template <typename Kernel, typename Create>
static Result<Kernel> timed(Create create) {
  auto start = std::chrono::steady_clock::now();
  ATTN_TRY_ASSIGN(auto impl, create());
  std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  impl->compileSeconds = time.count();
  return Kernel(std::move(impl));
}

Result<AttentionKernel> KernelPackage::kernel(std::optional<int> device) const {
  return timed<AttentionKernel>([&] { return createKernel(*this, device); });
}

Result<GradientKernel>
KernelPackage::gradients(std::optional<int> device) const {
  if (!hasGradients())
    return Error{"expects a package with gradients, got one of '@" + modName() +
                 "' without"};
  return timed<GradientKernel>([&] { return createGradients(*this, device); });
}

const std::string &KernelPackage::made() const { return pimpl->made; }
const std::string &KernelPackage::modName() const { return pimpl->mod; }
const KernelSpec &KernelPackage::spec() const {
  return pimpl->forward.description.spec;
}
const std::vector<CaptureInfo> &KernelPackage::captures() const {
  return pimpl->forward.description.captures;
}
bool KernelPackage::hasGradients() const {
  return pimpl->gradients.has_value();
}
const std::vector<int64_t> &KernelPackage::wrt() const {
  static const std::vector<int64_t> none;
  return hasGradients() ? pimpl->gradients->description.wrt : none;
}
bool KernelPackage::needsTileLists() const {
  return !pimpl->forward.tiles.empty();
}
