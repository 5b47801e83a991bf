// From a lowered kernel to code on the GPU, and what a launch of it takes.
#ifndef ATTN_LIB_API_CUDACODE_H
#define ATTN_LIB_API_CUDACODE_H

#include "attn/API/Attention.h"
#include "attn/Runtime/CUDADriver.h"

#include "mlir/IR/BuiltinOps.h"

#include <atomic>
#include <deque>
#include <memory>
#include <vector>

namespace attn {

/// What the blocks of persistent kernels draw their tasks from. A counter is
/// zero between launches: the kernel leaves it so. Launches that overlap, on
/// several streams, must not share one, so each takes the next in turn.
class TaskCounters {
public:
  static Result<std::shared_ptr<TaskCounters>> create();
  uint64_t next();

private:
  static constexpr unsigned count = 4096;
  cuda::Buffer memory;
  std::atomic<unsigned> turn{0};
};

/// One kernel, loaded into the context that was current.
struct CUDACode {
  std::shared_ptr<const cuda::Module> module; ///< the kernels of one share it
  cuda::Function function = nullptr;
  int64_t sharedBytes = 0;
  unsigned threads = 0; ///< of a block
  size_t parameters = 0;
  /// For each tensor map at the end of the parameters, the number of the
  /// memory's parameter and the rows of a box.
  std::vector<int64_t> tensorMaps;
  /// Of a persistent kernel; else null.
  std::shared_ptr<TaskCounters> counters;
  int64_t residentBlocks = 0; ///< of a persistent kernel, on the whole GPU

  /// Runs so many blocks, or those of a persistent kernel for so many tasks.
  /// Errors: the launch is rejected.
  Result<void> launch(int64_t blocks, const std::vector<void *> &given,
                      void *stream) const;
};

/// Lowers the one gpu.module of `module` to PTX and loads the kernels `names`.
/// The caller holds the mod's mutex; diagnostics go through the mod. `exact`:
/// as in math-to-ptx. `target`: as in attn-gpu-pipeline.
Result<std::vector<CUDACode>>
loadCUDACode(const Mod &mod, mlir::ModuleOp module,
             const std::vector<std::string> &names, bool exact,
             const char *target = "sm80");

/// Kernel parameters in the order in which a gpu.func declares them.
class CUDAParameters {
public:
  /// A memref: two pointers, an offset, sizes, strides.
  void add(const void *data, const int64_t *sizes, const int64_t *strides,
           size_t rank);
  void add(const TensorView &view);
  /// Contiguous.
  void add(const void *data, const std::vector<int64_t> &sizes);
  void addCapture(const CaptureInfo &info, const CaptureView &view);
  void addInteger(int64_t value) { addWord(static_cast<uint64_t>(value)); }
  void addAddress(uint64_t address) { addWord(address); }
  void addFloat(float value);
  void add(const cuda::TensorMap &map);

  const std::vector<void *> &pointers() const { return addresses; }

private:
  void addWord(uint64_t word);

  std::deque<uint64_t> words; ///< stays in place while it grows
  std::deque<cuda::TensorMap> maps;
  std::vector<void *> addresses;
};

} // namespace attn

#endif // ATTN_LIB_API_CUDACODE_H
