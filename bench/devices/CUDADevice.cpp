// An NVIDIA GPU as the bench sees it: memory, one stream, and the clock. A run
// is timed on the GPU, by events right before and after it, with a cold L2
// cache: without the flush, inputs smaller than the cache would be read from it
// in all runs but the first. The flush overwrites a buffer and then reads
// another: what was overwritten would else be written to memory while the work
// runs, which costs it 7 to 10 us on an H200.
#include "devices/Device.h"
#include "measure/CUDASamples.h"
#include "measure/Nvml.h"

#include "attn/Runtime/CUDADriver.h"
#include "attn/Support/Try.h"

#include <algorithm>
#include <fstream>

using namespace attn;
using namespace attn::bench;

namespace {

class CUDADevice final : public Device {
public:
  CUDADevice(const cuda::Driver &cu, cuda::DeviceInfo info, cuda::Stream queue,
             Nvml nvml)
      : cu(cu), info(std::move(info)), queue(queue), nvml(nvml) {}
  ~CUDADevice() override { cu.streamDestroy(queue); }

  Target target() const override { return Target::CUDA; }
  std::string description() const override;
  int64_t freeBytes() const override;
  Result<void *> allocate(int64_t bytes) override;
  void release(void *memory) override;
  void allocateShareable() override { shareable = true; }
  Result<SharedMemory> share(const void *memory) const override;
  Result<void> copyIn(void *to, const void *fromHost, int64_t bytes) override;
  Result<void> copyOut(void *toHost, const void *from, int64_t bytes) override;
  Result<void> copy(void *to, const void *from, int64_t bytes) override;
  Result<void> read(const void *from, int64_t bytes) override;
  Result<void> launchNothing() override;
  Result<void> fill(void *memory, unsigned char byte, int64_t bytes) override;
  Result<Turn> time(const std::function<Result<void>()> &work,
                    const TurnOptions &options) override;
  /// Under a power cap the driver takes 20 to 60 ms to give back the clocks
  /// that the work before cost, or to take those that this work costs.
  double warmupSeconds() const override { return 0.1; }
  bool isPaced() const override { return true; }
  TurnMeans turnMeans() const override {
    // All threads that fit, if each has something to read.
    int64_t bytes = 2 * info.l2Bytes;
    int64_t blocks =
        (bytes / 16 + TimingKernels::kThreads - 1) / TimingKernels::kThreads;
    return {bytes, int(std::min<int64_t>(blocks, 8 * info.multiprocessors)),
            TimingKernels::ptx()};
  }
  std::optional<DeviceState> state() const override { return nvml.state(); }
  Result<void> synchronize() override {
    return cu.check(cu.streamSynchronize(queue), "cuStreamSynchronize");
  }
  void *stream() const override { return queue; }

private:
  Result<void> loadKernels();
  Result<void> prepareTurns();
  Result<void> flush();

  const cuda::Driver &cu;
  cuda::DeviceInfo info;
  cuda::Stream queue;
  Nvml nvml;
  bool shareable = false;
  std::optional<TimingKernels> kernels;
  /// What is written and what is read to flush the L2 cache.
  cuda::Buffer written, flushed;
};

cuda::DevicePointer addressOf(const void *memory) {
  return reinterpret_cast<cuda::DevicePointer>(memory);
}

/// The kernel module's version ("580.159.04"), or nothing where it is hidden.
std::string driverRelease() {
  std::string release;
  std::ifstream("/sys/module/nvidia/version") >> release;
  return release;
}

std::string CUDADevice::description() const {
  char text[512];
  std::string release = driverRelease();
  std::snprintf(text, sizeof(text),
                "%s, sm_%d%d, %d multiprocessors, %.1f GiB, %.0f MiB L2, "
                "driver %s%sCUDA %d.%d%s",
                info.name.c_str(), info.computeMajor, info.computeMinor,
                info.multiprocessors, double(info.memoryBytes) / (1 << 30),
                double(info.l2Bytes) / (1 << 20), release.c_str(),
                release.empty() ? "" : " (", info.driverVersion / 1000,
                info.driverVersion % 1000 / 10, release.empty() ? "" : ")");
  return text;
}

int64_t CUDADevice::freeBytes() const {
  size_t free = 0, total = 0;
  if (cu.memGetInfo(&free, &total) != cuda::kSuccess)
    return 0;
  return static_cast<int64_t>(free);
}

Result<void *> CUDADevice::allocate(int64_t bytes) {
  // Whole pages of the driver's: what lies in a page with others cannot be
  // shared on its own.
  int64_t unit = shareable ? int64_t(2) << 20 : 1;
  ATTN_TRY_ASSIGN(cuda::Buffer buffer,
                  cuda::Buffer::allocate((bytes + unit - 1) / unit * unit));
  return reinterpret_cast<void *>(buffer.take());
}

Result<SharedMemory> CUDADevice::share(const void *memory) const {
  cuda::DevicePointer base = 0;
  size_t bytes = 0;
  cuda::IpcHandle handle;
  ATTN_TRY(cu.check(cu.memGetAddressRange(&base, &bytes, addressOf(memory)),
                    "cuMemGetAddressRange"));
  ATTN_TRY(cu.check(cu.ipcGetMemHandle(&handle, base), "cuIpcGetMemHandle"));
  SharedMemory shared;
  shared.kind = "cuda_ipc";
  for (unsigned char byte : handle.bytes)
    for (int digit : {byte >> 4, byte & 15})
      shared.handle += "0123456789abcdef"[digit];
  shared.bytes = static_cast<int64_t>(bytes);
  shared.offset = static_cast<int64_t>(addressOf(memory) - base);
  return shared;
}

void CUDADevice::release(void *memory) {
  if (memory)
    cu.memFree(addressOf(memory));
}

Result<void> CUDADevice::copyIn(void *to, const void *fromHost, int64_t bytes) {
  if (bytes == 0)
    return {};
  ATTN_TRY(cu.check(cu.memcpyHtoDAsync(addressOf(to), fromHost,
                                       static_cast<size_t>(bytes), queue),
                    "cuMemcpyHtoDAsync"));
  return synchronize();
}

Result<void> CUDADevice::copyOut(void *toHost, const void *from,
                                 int64_t bytes) {
  if (bytes == 0)
    return {};
  ATTN_TRY(cu.check(cu.memcpyDtoHAsync(toHost, addressOf(from),
                                       static_cast<size_t>(bytes), queue),
                    "cuMemcpyDtoHAsync"));
  return synchronize();
}

Result<void> CUDADevice::copy(void *to, const void *from, int64_t bytes) {
  if (bytes == 0)
    return {};
  return cu.check(cu.memcpyDtoDAsync(addressOf(to), addressOf(from),
                                     static_cast<size_t>(bytes), queue),
                  "cuMemcpyDtoDAsync");
}

Result<void> CUDADevice::fill(void *memory, unsigned char byte, int64_t bytes) {
  if (bytes == 0)
    return {};
  return cu.check(cu.memsetD8Async(addressOf(memory), byte,
                                   static_cast<size_t>(bytes), queue),
                  "cuMemsetD8Async");
}

Result<void> CUDADevice::loadKernels() {
  if (kernels)
    return {};
  ATTN_TRY_ASSIGN(TimingKernels loaded, TimingKernels::load());
  kernels.emplace(std::move(loaded));
  return {};
}

Result<void> CUDADevice::read(const void *from, int64_t bytes) {
  ATTN_TRY(loadKernels());
  return kernels->stream(addressOf(from), bytes,
                         int(TimingKernels::kStreams * info.multiprocessors),
                         queue);
}

Result<void> CUDADevice::launchNothing() {
  ATTN_TRY(loadKernels());
  return kernels->nothing(queue);
}

Result<void> CUDADevice::prepareTurns() {
  if (flushed.data())
    return {};
  ATTN_TRY(loadKernels());
  int64_t bytes = turnMeans().flushBytes;
  for (cuda::Buffer *buffer : {&written, &flushed}) {
    Result<cuda::Buffer> memory = cuda::Buffer::allocate(bytes);
    if (!memory)
      return Error{"no room for flushing the L2 cache: " + memory.error()};
    *buffer = std::move(*memory);
  }
  return fill(flushed.data(), 0, bytes);
}

Result<void> CUDADevice::flush() {
  TurnMeans means = turnMeans();
  ATTN_TRY(fill(written.data(), 0, means.flushBytes));
  return kernels->read(flushed.address(), means.flushBytes, means.readBlocks,
                       queue);
}

Result<Turn> CUDADevice::time(const std::function<Result<void>()> &work,
                              const TurnOptions &options) {
  ATTN_TRY(prepareTurns());
  TurnSteps steps;
  steps.wait = [&](double seconds) { return kernels->wait(seconds, queue); };
  if (!options.hot)
    steps.flush = [&] { return flush(); };
  steps.work = work;
  return takeCUDASamples(cu, queue, steps, options);
}

} // namespace

Result<std::unique_ptr<Device>> bench::createCUDADevice() {
  // The first one that CUDA_VISIBLE_DEVICES shows.
  ATTN_TRY(cuda::useDevice(0));
  ATTN_TRY_ASSIGN(cuda::Device ordinal, cuda::currentDevice());
  ATTN_TRY_ASSIGN(cuda::DeviceInfo info, cuda::deviceInfo(ordinal));
  const cuda::Driver &cu = **cuda::driver();
  cuda::Stream queue = nullptr;
  ATTN_TRY(cu.check(cu.streamCreate(&queue, cuda::kStreamNonBlocking),
                    "cuStreamCreate"));
  char busId[32] = "";
  if (cu.deviceGetPCIBusId(busId, sizeof(busId), ordinal) != cuda::kSuccess)
    busId[0] = '\0';
  return std::unique_ptr<Device>(std::make_unique<CUDADevice>(
      cu, std::move(info), queue, Nvml::open(busId)));
}
