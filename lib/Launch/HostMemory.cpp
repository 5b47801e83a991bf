// See HostMemory.h.
#include "HostMemory.h"

#include "CaptureViews.h"

#include "attn/Runtime/Signature.h"

#include <cstring>

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

Descriptor::Descriptor(const CaptureView &tensor)
    : Descriptor(const_cast<void *>(tensor.data), tensor.sizes.data(),
                 stridesOf(tensor).data(), tensor.sizes.size()) {}

void attn::writeZeros(const TensorView &view) {
  int64_t width = byteWidth(view.type);
  auto [batches, heads, rows, channels] = view.sizes;
  for (int64_t b = 0; b < batches; ++b)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t i = 0; i < rows; ++i) {
        int64_t row =
            b * view.strides[0] + h * view.strides[1] + i * view.strides[2];
        std::memset(static_cast<char *>(view.data) + row * width, 0,
                    channels * width);
      }
}
