// Kernels of an image on a GPU: loaded into a context, launched with what is
// bound to their parameters.
#ifndef ATTN_RUNTIME_LOADEDKERNEL_H
#define ATTN_RUNTIME_LOADEDKERNEL_H

#include "attn/Runtime/CUDADriver.h"
#include "attn/Runtime/KernelImage.h"

#include <atomic>
#include <memory>
#include <vector>

namespace attn::cuda {

/// What the blocks of persistent kernels draw their tasks from. A counter is
/// zero between launches: the kernel leaves it so. Launches that overlap, on
/// several streams, must not share one, so each takes the next in turn. A
/// launch in a graph keeps its counter, and may overlap with any later one, so
/// those have counters of their own, of which there are enough for all graphs
/// of a process.
class TaskCounters {
public:
  static constexpr unsigned count = 4096, countOfCaptured = 1 << 16;

  static Result<std::shared_ptr<TaskCounters>> create();
  /// The address of one. `isCaptured`: for a launch in a graph.
  uint64_t next(bool isCaptured);

private:
  Buffer memory; ///< the captured ones' last
  std::atomic<unsigned> turn{0}, capturedTurn{0};
};

/// One kernel, loaded into the context that was current, in which it is
/// launched from any thread.
class LoadedKernel {
public:
  /// All entries of the image, in its order. Errors: code for something else
  /// than the GPU of the current context; the driver's JIT; more shared memory
  /// than a block can have.
  static Result<std::vector<LoadedKernel>> load(const KernelImage &image);

  const KernelEntry &entry() const { return description; }
  /// How many of its blocks the GPU of the current context runs at once.
  Result<int64_t> residentBlocks() const;

  /// Bytes of memory that a thread has for what registers do not hold.
  Result<int64_t> spilledBytes() const;

  /// Fills the parameters of a launch on `stream`; binds the counter of a
  /// persistent kernel. Errors: something is not bound, or TMA does not take a
  /// tensor.
  Result<BoundParameters> bind(Bindings &bindings, void *stream) const;
  /// Runs so many blocks, or those of a persistent kernel for so many tasks.
  /// Errors: the launch is rejected.
  Result<void> launch(int64_t blocks, const BoundParameters &parameters,
                      void *stream) const;
  /// Both.
  Result<void> launch(int64_t blocks, Bindings &bindings, void *stream) const;

private:
  Result<void> makePersistent();

  KernelEntry description;
  std::shared_ptr<const Module> module; ///< the kernels of an image share it
  Function function = nullptr;
  /// Of a persistent kernel; else null.
  std::shared_ptr<TaskCounters> counters;
  int64_t persistentBlocks = 0; ///< of a persistent kernel
};

} // namespace attn::cuda

#endif // ATTN_RUNTIME_LOADEDKERNEL_H
