// Where a case runs: the memory that holds its tensors and the clock that times
// it. One implementation per target; nothing else of the bench asks which.
#ifndef ATTN_BENCH_DEVICE_H
#define ATTN_BENCH_DEVICE_H

#include "attn/API/Attention.h"

#include <functional>
#include <string>
#include <vector>

namespace attn::bench {

/// When to stop sampling.
struct TimingOptions {
  double warmupSeconds = 0.05;  ///< and at least three calls
  double minSeconds = 0.1;      ///< of measured time
  double maxSeconds = 1.0;
  int minSamples = 10, maxSamples = 1000;
};

/// Seconds of each sample, in the order in which they were taken.
struct Timing {
  std::vector<double> samples;
  double median() const;
};

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
  virtual Result<void> copyIn(void *to, const void *fromHost, int64_t bytes) = 0;
  virtual Result<void> copyOut(void *toHost, const void *from, int64_t bytes) = 0;
  /// Sets every byte. 0xff makes a NaN of every floating-point type.
  virtual Result<void> fill(void *memory, unsigned char byte, int64_t bytes) = 0;

  /// Times `work`, which enqueues one run on stream(). CUDA: events around each
  /// run, with the L2 cache flushed before it. CPU: wall clock.
  virtual Result<Timing> time(const std::function<Result<void>()> &work,
                              const TimingOptions &) = 0;
  /// Waits for all enqueued work; reports what went wrong in it.
  virtual Result<void> synchronize() = 0;
  virtual void *stream() const { return nullptr; }
};

std::unique_ptr<Device> createCPUDevice();
/// Errors: no driver, no GPU.
Result<std::unique_ptr<Device>> createCUDADevice();

} // namespace attn::bench

#endif // ATTN_BENCH_DEVICE_H
