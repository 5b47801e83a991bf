// How a test looks into the fake driver and makes things go wrong there.
#ifndef ATTN_TEST_FAKECUDADRIVER_H
#define ATTN_TEST_FAKECUDADRIVER_H

#include <cstddef>
#include <string>

namespace attn::cuda {

struct FakeCUDA {
  size_t memoryBytes = size_t(64) << 20, usedBytes = 0;
  int multiprocessors = 132;
  int maxThreads = 256; ///< of a block, of functions from now on
  /// Local memory of a thread, likewise, and how much more the next one has.
  int localBytes = 0, moreLocalBytes = 0;
  int computeMajor = 9; ///< compute capability computeMajor.0
  int loadedModules = 0, liveEvents = 0;
  /// What was compiled from PTX to be loaded and to be kept, and what was kept.
  int jitModules = 0, loadedCubins = 0;
  int memoryCalls = 0; ///< that gave or took memory
  int dependentLaunches = 0;
  /// Whether kernels are run, by the PTX machine; otherwise a launch only
  /// stores the grid's width where its first parameter points.
  bool runsKernels = false;
  /// What one kernel or copy adds to the clock that the events read.
  double kernelMilliseconds = 0.5, clockMilliseconds = 0;
  /// What a fill adds: much, so that a timed one is noticed. A wait of the
  /// bench (attn_bench_wait) adds what it waits for as well.
  double fillMilliseconds = 1000;
  /// Addresses that are none of the GPU's: of host memory, and of another GPU.
  unsigned long long unknownMemory = 0, memoryOfGPU1 = 0;
  /// What synchronising calls return: a kernel that failed while it ran.
  int asyncStatus = 0;
  /// Whether streams are being captured.
  bool isCapturing = false;
  /// One letter per call: F fill, C copy, E event, K kernel.
  std::string calls;
  /// The same in words, a line each, with sizes and names: "fill 131072",
  /// "event", "launch NAME BLOCKS x THREADS", "synchronize".
  std::string sequence;
  size_t lastFillBytes = 0;
};

} // namespace attn::cuda

/// Loads the fake libraries under the names that the code under test opens
/// (dlopen finds a loaded library by its soname). Null if a test is not built
/// with them.
attn::cuda::FakeCUDA *useFakeCUDA();

#endif // ATTN_TEST_FAKECUDADRIVER_H
