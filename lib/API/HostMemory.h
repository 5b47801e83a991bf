// Host memory as compiled code sees it.
#ifndef ATTN_LIB_API_HOSTMEMORY_H
#define ATTN_LIB_API_HOSTMEMORY_H

#include "attn/API/Attention.h"

#include "attn/Runtime/Signature.h"
#include "attn/Runtime/ThreadPool.h"

#include <vector>

namespace attn {

/// A memref descriptor: two pointers, an offset, sizes, strides.
class Descriptor {
public:
  Descriptor(void *data, const int64_t *sizes, const int64_t *strides,
             size_t rank);
  /// Contiguous.
  Descriptor(void *data, const std::vector<int64_t> &sizes);
  explicit Descriptor(const CaptureView &tensor);

  void *address() { return words.data(); }

private:
  std::vector<int64_t> words;
};

/// The parameters of a function that does one task of a kernel
/// (flash-to-tasks), for packed calls.
class TaskCall {
public:
  /// Errors: those of BoundParameters.
  static Result<TaskCall> bind(const Signature &signature, Bindings &bindings);

  /// The arguments for the number of a task, which `task` keeps.
  std::vector<void *> argumentsOf(int64_t &task) const;
  /// The arguments of the function that counts the tasks, into `tasks`.
  std::vector<void *> argumentsOfCount(int64_t &tasks) const;

private:
  BoundParameters parameters;
  size_t taskPosition = 0;
};

/// Zeros for all elements of `view`, whatever lies between its rows.
void writeZeros(const TensorView &view);

/// The threads that all kernels share: one per core, or ATTN_NUM_THREADS.
ThreadPool &hostThreads();

} // namespace attn

#endif // ATTN_LIB_API_HOSTMEMORY_H
