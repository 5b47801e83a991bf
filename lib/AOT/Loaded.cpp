// Chooses a package for a device and loads it. See Loaded.h.
#include "Loaded.h"

#include "../Launch/CUDALaunch.h"

#include "attn/Runtime/CPUFeatures.h"

#include <map>
#include <mutex>
#include <shared_mutex>
#include <string_view>

using namespace attn;
using namespace attn::aot;

namespace {
/// What is behind attn_aot_kernels::loaded.
struct Devices {
  std::map<int64_t, std::shared_ptr<const LoadedKernels>> loaded;
};
} // namespace

/// Of the pointers of all objects, and what is behind them. Launches share it
/// as long as they look.
static std::shared_mutex &mutexOfAll() {
  static std::shared_mutex mutex;
  return mutex;
}

static Failure unsupported(std::string text) {
  return {ATTN_AOT_UNSUPPORTED_DEVICE, std::move(text)};
}

static Failure driverError(std::string text) {
  return {ATTN_AOT_DRIVER_ERROR, std::move(text)};
}

/// What this CPU lacks of what the code may use; empty if nothing.
static std::string missingFor(const KernelPackage &package) {
  const KernelImage &image =
      package.impl().forward.variants.front().images.front();
  std::string names;
  for (const std::string &name : cpu::missingFeatures(image.features))
    names += (names.empty() ? "" : ", ") + name;
  return names.empty() ? names
                       : "expects a CPU that runs code for " + image.target +
                             ", got one without " + names;
}

/// Whether the package has kernels for every GPU, too.
static bool hasPortable(const KernelPackage &package) {
  return !package.impl().forward.variants.back().images.empty();
}

namespace {
/// What a GPU runs.
struct Abilities {
  bool any = false, sm90a = false;
};
} // namespace

/// Errors: there is no driver, or no such GPU.
static Result<Abilities> abilitiesOf(int device) {
  Result<cuda::Context> context = cuda::primaryContext(device);
  if (!context)
    return Error{context.error()};
  cuda::ContextScope scope(*context);
  Result<cuda::Device> current = cuda::currentDevice();
  if (!current)
    return Error{current.error()};
  Result<cuda::DeviceInfo> info = cuda::deviceInfo(*current);
  Result<bool> sm90a = runsSM90a(*current);
  if (!info || !sm90a)
    return Error{info ? sm90a.error() : info.error()};
  return Abilities{info->computeMajor >= 8, *sm90a};
}

/// Whether a package is for the device. `abilities`: of a GPU.
static bool suits(const KernelPackage &package, int device,
                  const Abilities &abilities) {
  if (device < 0)
    return package.made() == "cpu";
  if (package.made() == "sm90a")
    return abilities.sm90a || (abilities.any && hasPortable(package));
  return package.made() == "sm80" && abilities.any;
}

/// The one that suits best: for a Hopper what was made for it, for other GPUs
/// what was made for all.
static Failure choose(const attn_aot_kernels &kernels, int device,
                      KernelPackage &chosen) {
  Abilities abilities;
  if (device >= 0) {
    Result<Abilities> found = abilitiesOf(device);
    if (!found)
      return unsupported(found.error());
    abilities = *found;
  }
  bool isFound = false;
  for (uint64_t i = 0; i < kernels.count; ++i) {
    const attn_aot_package &bytes = kernels.packages[i];
    Result<KernelPackage> package =
        KernelPackage::load({bytes.bytes, static_cast<size_t>(bytes.size)});
    if (!package)
      return driverError(package.error());
    if (!suits(*package, device, abilities))
      continue;
    bool isBetter = !isFound || (chosen.made() == "sm90a") != abilities.sm90a;
    if (isBetter)
      chosen = std::move(*package);
    isFound = true;
  }
  if (isFound)
    return {};
  return unsupported(device < 0
                         ? "there is no code for a CPU in this object"
                         : "there is no code for GPU " +
                               std::to_string(device) + " in this object");
}

static Failure loadKernels(const KernelPackage &package, int device,
                           LoadedKernels &loaded) {
  if (device < 0)
    if (std::string missing = missingFor(package); !missing.empty())
      return unsupported(missing);
  std::optional<int> gpu;
  if (device >= 0)
    gpu = device;
  AttentionImpl forward = createKernel(package, gpu);
  if (!forward)
    return driverError(forward.error());
  loaded.forward = std::move(*forward);
  if (!package.hasGradients())
    return {};
  GradientImpl backward = createGradients(package, gpu);
  if (!backward)
    return driverError(backward.error());
  loaded.backward = std::move(*backward);
  return {};
}

Failure aot::load(attn_aot_kernels &kernels, int device) {
  if (kernels.abi != ATTN_AOT_ABI)
    return {ATTN_AOT_BAD_ARGUMENT,
            "expects an object for a runtime of version " +
                std::to_string(ATTN_AOT_ABI) + ", got one for " +
                std::to_string(kernels.abi)};
  if (device < -1)
    return {ATTN_AOT_BAD_ARGUMENT,
            "expects the number of a GPU, or -1 for the CPU, got " +
                std::to_string(device)};
  if (find(kernels, device))
    return {};
  // Takes long, and launches of others go on meanwhile.
  KernelPackage package;
  if (Failure failure = choose(kernels, device, package); failure.code)
    return failure;
  auto loaded = std::make_shared<LoadedKernels>();
  if (Failure failure = loadKernels(package, device, *loaded); failure.code)
    return failure;
  std::unique_lock<std::shared_mutex> lock(mutexOfAll());
  auto *devices = static_cast<Devices *>(kernels.loaded);
  if (!devices)
    kernels.loaded = devices = new Devices;
  // Another thread may have been faster.
  devices->loaded.emplace(device, std::move(loaded));
  return {};
}

void aot::unload(attn_aot_kernels &kernels) {
  std::unique_lock<std::shared_mutex> lock(mutexOfAll());
  delete static_cast<Devices *>(kernels.loaded);
  kernels.loaded = nullptr;
}

std::shared_ptr<const LoadedKernels> aot::find(const attn_aot_kernels &kernels,
                                               int64_t device) {
  std::shared_lock<std::shared_mutex> lock(mutexOfAll());
  auto *devices = static_cast<const Devices *>(kernels.loaded);
  if (!devices)
    return nullptr;
  auto found = devices->loaded.find(device);
  return found == devices->loaded.end() ? nullptr : found->second;
}
