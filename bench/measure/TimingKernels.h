// The small kernels that timing on a GPU needs besides the work, and those that
// say what the GPU can do at most. They are PTX, so that the tool's process and
// the PyTorch worker's load the same text and do the same between samples.
#ifndef ATTN_BENCH_MEASURE_TIMINGKERNELS_H
#define ATTN_BENCH_MEASURE_TIMINGKERNELS_H

#include "attn/Runtime/CUDADriver.h"

namespace attn::bench {

/// What another process needs to take turns as this one does.
struct TurnMeans {
  int64_t flushBytes = 0; ///< overwritten, and read elsewhere; 0: no flush
  int readBlocks = 0;     ///< of TimingKernels::kThreads that read
  const char *ptx = "";   ///< TimingKernels::ptx()
};

class TimingKernels {
public:
  static constexpr int kThreads = 256;
  static constexpr int64_t kChunk =
      16384; ///< bytes that a stream reads at once
  /// Blocks of a stream for each multiprocessor: whole waves, however many of
  /// two, three or four it holds at a time.
  static constexpr int kStreams = 12;

  /// The kernels. Of these the worker uses the first two, which take an address
  /// of 8 bytes for what nobody reads as their first parameter:
  /// attn_bench_wait(address, u64 nanoseconds): one thread waits, by the GPU's
  /// clock of real time;
  /// attn_bench_read(address, u64 from, u64 pieces): reads pieces of 16 bytes;
  /// attn_bench_stream(u64 from, u64 bytes): reads chunks as fast as it can;
  /// attn_bench_nothing().
  static const char *ptx();

  /// Into the current context.
  static Result<TimingKernels> load();

  /// Enqueues a wait of so many seconds; of none if negative.
  Result<void> wait(double seconds, cuda::Stream queue) const;
  /// Enqueues reading `bytes`, a multiple of 16, at `from`.
  Result<void> read(cuda::DevicePointer from, int64_t bytes, int blocks,
                    cuda::Stream queue) const;
  /// Enqueues reading all whole chunks of `bytes` at `from`.
  Result<void> stream(cuda::DevicePointer from, int64_t bytes, int blocks,
                      cuda::Stream queue) const;
  /// Enqueues a kernel that does nothing.
  Result<void> nothing(cuda::Stream queue) const;

private:
  struct Entries {
    cuda::Function wait, read, stream, nothing;
  };
  TimingKernels(cuda::Module module, const Entries &entries, cuda::Buffer sink)
      : module(std::move(module)), entries(entries), sink(std::move(sink)) {}

  cuda::Module module;
  Entries entries;
  cuda::Buffer sink;
};

} // namespace attn::bench

#endif // ATTN_BENCH_MEASURE_TIMINGKERNELS_H
