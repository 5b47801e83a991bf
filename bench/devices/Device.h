// Where a case runs: the memory that holds its tensors and the clock that times
// it. One implementation per target; nothing else of the bench asks which.
#ifndef ATTN_BENCH_DEVICES_DEVICE_H
#define ATTN_BENCH_DEVICES_DEVICE_H

#include "devices/SharedMemory.h"
#include "measure/Outcome.h"
#include "measure/TimingKernels.h"

#include "attn/API/Attention.h"

#include <functional>

namespace attn::bench {

class Device {
public:
  virtual ~Device() = default;
  virtual Target target() const = 0;
  /// For the report's header: the processor or GPU, its memory, the driver.
  virtual std::string description() const = 0;
  /// Bytes which can be allocated now.
  virtual int64_t freeBytes() const = 0;

  /// Memory aligned to at least 256 bytes. Errors: out of memory.
  virtual Result<void *> allocate(int64_t bytes) = 0;
  virtual void release(void *memory) = 0;
  /// Makes what is allocated from now on such that share() works for it.
  virtual void allocateShareable() {}
  /// How another process reaches a place in allocated memory.
  virtual Result<SharedMemory> share(const void *memory) const = 0;
  virtual Result<void> copyIn(void *to, const void *fromHost,
                              int64_t bytes) = 0;
  virtual Result<void> copyOut(void *toHost, const void *from,
                               int64_t bytes) = 0;
  /// Enqueues a copy within the device's memory.
  virtual Result<void> copy(void *to, const void *from, int64_t bytes) = 0;
  /// Enqueues reading memory, to nobody's use, as fast as it can be read: the
  /// whole multiples of 16 KiB of `bytes`.
  virtual Result<void> read(const void *from, int64_t bytes) = 0;
  /// Enqueues a kernel that does nothing: what is left is a launch. Errors:
  /// nothing is launched here.
  virtual Result<void> launchNothing() {
    return Error{"nothing is launched on a processor"};
  }
  /// Sets every byte. 0xff makes a NaN of every floating-point type.
  virtual Result<void> fill(void *memory, unsigned char byte,
                            int64_t bytes) = 0;

  /// One turn of `work`, which enqueues one run on stream(). CUDA: events
  /// around each run, with the L2 cache flushed before it, and the GPU at work
  /// for the share of time that the options say. CPU: wall clock.
  virtual Result<Turn> time(const std::function<Result<void>()> &work,
                            const TurnOptions &) = 0;
  /// How long work has to run before time() may be believed, when something
  /// else ran before it.
  virtual double warmupSeconds() const { return TurnOptions().warmupSeconds; }
  /// Whether time() keeps to a duty: the backends of a case then take their
  /// turns at the same one.
  virtual bool isPaced() const { return false; }
  /// What another process needs to do as time() does.
  virtual TurnMeans turnMeans() const { return {}; }
  /// The clocks now, where they can be read.
  virtual std::optional<DeviceState> state() const { return std::nullopt; }
  /// Waits for all enqueued work; reports what went wrong in it.
  virtual Result<void> synchronize() = 0;
  virtual void *stream() const { return nullptr; }
};

std::unique_ptr<Device> createCPUDevice();
/// Errors: no driver, no GPU.
Result<std::unique_ptr<Device>> createCUDADevice();

} // namespace attn::bench

#endif // ATTN_BENCH_DEVICES_DEVICE_H
