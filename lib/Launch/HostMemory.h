// Host memory as compiled code sees it.
#ifndef ATTN_LIB_LAUNCH_HOSTMEMORY_H
#define ATTN_LIB_LAUNCH_HOSTMEMORY_H

#include "attn/API/Attention.h"
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

/// Zeros for all elements of `view`, whatever lies between its rows.
void writeZeros(const TensorView &view);

} // namespace attn

#endif // ATTN_LIB_LAUNCH_HOSTMEMORY_H
