// See LoadedKernel.h.
#include "attn/Runtime/LoadedKernel.h"

#include "attn/Runtime/Chip.h"
#include "attn/Runtime/CubinStore.h"
#include "attn/Support/Try.h"

#include <algorithm>
#include <cstring>

using namespace attn;
using namespace attn::cuda;

namespace {
/// What the driver makes of memory with elements of 16 bits.
class DriverTensorMaps final : public TensorMapEncoder {
  Result<void> encode(const Binding &memory, int64_t rows,
                      void *bytes) const override {
    TensorMapShape shape;
    if (memory.isF16)
      shape.type = kTensorMapF16;
    shape.address = reinterpret_cast<void *>(memory.word);
    for (int d = 0; d < 4; ++d)
      shape.sizes[d] = memory.sizes[3 - d];
    for (int d = 0; d < 3; ++d)
      shape.strides[d] = memory.strides[2 - d];
    ATTN_TRY_ASSIGN(TensorMap map, encodeTensorMap(shape, rows));
    std::memcpy(bytes, &map, sizeof map);
    return {};
  }
};
} // namespace

Result<std::shared_ptr<TaskCounters>> TaskCounters::create() {
  ATTN_TRY_ASSIGN(const Driver *driver, cuda::driver());
  int64_t bytes = (count + countOfCaptured) * sizeof(uint32_t);
  ATTN_TRY_ASSIGN(Buffer memory, Buffer::allocate(bytes));
  ATTN_TRY(
      driver->check(driver->memsetD8Async(memory.address(), 0, bytes, nullptr),
                    "cuMemsetD8Async"));
  ATTN_TRY(
      driver->check(driver->streamSynchronize(nullptr), "cuStreamSynchronize"));
  auto counters = std::make_shared<TaskCounters>();
  counters->memory = std::move(memory);
  return counters;
}

uint64_t TaskCounters::next(bool isCaptured) {
  unsigned place =
      isCaptured ? count + capturedTurn++ % countOfCaptured : turn++ % count;
  return memory.address() + place * sizeof(uint32_t);
}

Result<int64_t> LoadedKernel::residentBlocks() const {
  ATTN_TRY_ASSIGN(Device device, currentDevice());
  ATTN_TRY_ASSIGN(DeviceInfo info, deviceInfo(device));
  Result<const Driver *> driver = cuda::driver();
  int blocks = 0;
  ATTN_TRY((*driver)->check(
      (*driver)->occupancyMaxActiveBlocksPerMultiprocessor(
          &blocks, function, static_cast<int>(description.threads),
          description.sharedBytes),
      "cuOccupancyMaxActiveBlocksPerMultiprocessor"));
  return static_cast<int64_t>(std::max(blocks, 1)) * info.multiprocessors;
}

Result<int64_t> LoadedKernel::spilledBytes() const {
  ATTN_TRY_ASSIGN(FunctionInfo info, functionInfo(function));
  return info.localBytes;
}

/// Counters, and as many blocks as fit the GPU at once.
Result<void> LoadedKernel::makePersistent() {
  ATTN_TRY_ASSIGN(persistentBlocks, residentBlocks());
  ATTN_TRY_ASSIGN(counters, TaskCounters::create());
  return {};
}

/// Whether the GPU of the current context runs the image's code.
static Result<void> checkTarget(const KernelImage &image) {
  if (image.kind == KernelImage::Code::SharedObject)
    return Error{"expects an image for a GPU, got one for a CPU (" +
                 image.target + ")"};
  std::optional<Chip> made = Chip::named(image.target);
  if (!made)
    return Error{"expects an image for a chip such as sm_80, got one for '" +
                 image.target + "'"};
  ATTN_TRY_ASSIGN(Device device, currentDevice());
  ATTN_TRY_ASSIGN(DeviceInfo info, deviceInfo(device));
  Chip here{info.computeMajor, info.computeMinor};
  bool isPTX = image.kind == KernelImage::Code::PTX;
  if (isPTX ? made->hasPTXFor(here) : made->hasCodeFor(here))
    return {};
  return Error{std::string("expects a GPU that runs ") +
               (isPTX ? "PTX" : "a cubin") + " for " + image.target + ", got " +
               info.name + ", which is " + here.name()};
}

/// Loads what the store has of it, or what the driver makes of it.
static Result<Module> loadPTX(const KernelImage &image) {
  if (std::shared_ptr<const CubinStore> store = cubinStore()) {
    ATTN_TRY_ASSIGN(Device device, currentDevice());
    ATTN_TRY_ASSIGN(DeviceInfo info, deviceInfo(device));
    Chip here{info.computeMajor, info.computeMinor};
    here.only = Chip::named(image.target)->only;
    if (std::optional<std::string> cubin =
            store->cubinOf(here.name(), image.code))
      if (Result<Module> loaded = Module::fromCubin(*cubin))
        return loaded;
  }
  return Module::fromPTX(image.code);
}

Result<std::vector<LoadedKernel>> LoadedKernel::load(const KernelImage &image) {
  ATTN_TRY(checkTarget(image));
  ATTN_TRY_ASSIGN(Module loaded, image.kind == KernelImage::Code::Cubin
                                     ? Module::fromCubin(image.code)
                                     : loadPTX(image));
  auto shared = std::make_shared<const Module>(std::move(loaded));
  std::vector<LoadedKernel> kernels;
  for (const KernelEntry &entry : image.entries) {
    LoadedKernel kernel;
    kernel.description = entry;
    kernel.module = shared;
    ATTN_TRY_ASSIGN(kernel.function, shared->function(entry.name));
    ATTN_TRY(setDynamicSharedMemory(kernel.function, entry.sharedBytes));
    if (entry.isPersistent())
      ATTN_TRY(kernel.makePersistent());
    kernels.push_back(std::move(kernel));
  }
  return kernels;
}

Result<BoundParameters> LoadedKernel::bind(Bindings &bindings,
                                           void *stream) const {
  if (counters) {
    ATTN_TRY_ASSIGN(bool isCaptured, isCapturing(static_cast<Stream>(stream)));
    bindings.word({Role::Counter}, counters->next(isCaptured));
  }
  ContextScope scope(module->owner());
  DriverTensorMaps maps;
  return BoundParameters::bind(description.signature, bindings, &maps);
}

Result<void> LoadedKernel::launch(int64_t blocks,
                                  const BoundParameters &parameters,
                                  void *stream) const {
  if (blocks == 0)
    return {};
  ContextScope scope(module->owner());
  if (blocks > INT32_MAX)
    return Error{"expects a launch of at most 2147483647 blocks, got " +
                 std::to_string(blocks)};
  if (counters)
    blocks = std::min(blocks, persistentBlocks);
  LaunchShape shape;
  shape.grid[0] = static_cast<unsigned>(blocks);
  shape.block[0] = static_cast<unsigned>(description.threads);
  shape.sharedBytes = static_cast<unsigned>(description.sharedBytes);
  shape.isDependent = description.isDependent;
  std::vector<void *> addresses = parameters.flat();
  return cuda::launch(function, shape, addresses.data(),
                      static_cast<Stream>(stream));
}

Result<void> LoadedKernel::launch(int64_t blocks, Bindings &bindings,
                                  void *stream) const {
  ATTN_TRY_ASSIGN(BoundParameters bound, bind(bindings, stream));
  return launch(blocks, bound, stream);
}
