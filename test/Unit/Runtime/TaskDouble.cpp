// Code for a CPU as images hold it, by hand: out[task] = task + first, and how
// many tasks there are.
#include <cstdint>

namespace {
struct Memory {
  float *base, *data;
  int64_t offset, sizes[1], strides[1];
};
} // namespace

extern "C" void packed_number(void **arguments) {
  auto *out = static_cast<Memory *>(arguments[0]);
  int64_t first = *static_cast<int64_t *>(arguments[1]);
  int64_t task = *static_cast<int64_t *>(arguments[2]);
  out->data[out->offset + task * out->strides[0]] =
      static_cast<float>(task + first);
}

extern "C" void packed_number_tasks(void **arguments) {
  auto *out = static_cast<Memory *>(arguments[0]);
  *static_cast<int64_t *>(arguments[2]) = out->sizes[0];
}
