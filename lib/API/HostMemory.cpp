// See HostMemory.h.
#include "HostMemory.h"

#include "CaptureViews.h"

#include <algorithm>
#include <cstdlib>
#include <thread>

using namespace attn;

Descriptor::Descriptor(void *data, const int64_t *sizes, const int64_t *strides,
                       size_t rank) {
  static_assert(sizeof(void *) == sizeof(int64_t));
  auto pointer = reinterpret_cast<int64_t>(data);
  words = {pointer, pointer, 0};
  words.insert(words.end(), sizes, sizes + rank);
  words.insert(words.end(), strides, strides + rank);
}

Descriptor::Descriptor(void *data, const std::vector<int64_t> &sizes)
    : Descriptor(data, sizes.data(), contiguousStrides(sizes).data(),
                 sizes.size()) {}

Descriptor::Descriptor(const TensorView &view) {
  std::array<int64_t, 4> strides{view.strides[0], view.strides[1],
                                 view.strides[2], 1};
  *this = Descriptor(view.data, view.sizes.data(), strides.data(), 4);
}

Descriptor::Descriptor(const CaptureView &tensor)
    : Descriptor(const_cast<void *>(tensor.data), tensor.sizes.data(),
                 stridesOf(tensor).data(), tensor.sizes.size()) {}

ThreadPool &attn::hostThreads() {
  static ThreadPool *pool = [] {
    unsigned threads = std::max(1u, std::thread::hardware_concurrency());
    if (const char *text = std::getenv("ATTN_NUM_THREADS"))
      threads = std::max(1, std::atoi(text));
    return new ThreadPool(threads);
  }();
  return *pool;
}
