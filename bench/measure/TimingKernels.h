// The two small kernels that timing on a GPU needs besides the work. They are
// PTX, so that the tool's process and the PyTorch worker's load the same text
// and do the same between samples.
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

  /// Both kernels, each with an address of 8 bytes for what nobody reads as its
  /// first parameter:
  /// attn_bench_wait(address, u64 nanoseconds): one thread waits, by the GPU's
  /// clock of real time;
  /// attn_bench_read(address, u64 from, u64 pieces): reads pieces of 16 bytes.
  static const char *ptx();

  /// Into the current context.
  static Result<TimingKernels> load();

  /// Enqueues a wait of so many seconds; of none if negative.
  Result<void> wait(double seconds, cuda::Stream queue) const;
  /// Enqueues reading `bytes`, a multiple of 16, at `from`.
  Result<void> read(cuda::DevicePointer from, int64_t bytes, int blocks,
                    cuda::Stream queue) const;

private:
  TimingKernels(cuda::Module module, cuda::Function waits, cuda::Function reads,
                cuda::Buffer sink)
      : module(std::move(module)), waits(waits), reads(reads),
        sink(std::move(sink)) {}

  cuda::Module module;
  cuda::Function waits, reads;
  cuda::Buffer sink;
};

} // namespace attn::bench

#endif // ATTN_BENCH_MEASURE_TIMINGKERNELS_H
