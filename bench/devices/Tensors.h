// The tensors of one case in a device's memory, each between guard bands: a
// kernel that reads outside gets NaN, one that writes outside is found out.
#ifndef ATTN_BENCH_DEVICES_TENSORS_H
#define ATTN_BENCH_DEVICES_TENSORS_H

#include "devices/Device.h"

#include <cstddef>

namespace attn::bench {

/// Memory of a device that is released with the object.
class Buffer {
public:
  Buffer() = default;
  Buffer(Buffer &&other) noexcept { *this = std::move(other); }
  Buffer &operator=(Buffer &&other) noexcept {
    std::swap(device, other.device);
    std::swap(memory, other.memory);
    return *this;
  }
  ~Buffer() {
    if (memory)
      device->release(memory);
  }
  static Result<Buffer> create(Device &, int64_t bytes);
  void *data() const { return memory; }

private:
  Device *device = nullptr;
  void *memory = nullptr;
};

/// A tensor (batch, head, position, channel) stored position before head, as
/// models store it, with guardBytes on either side.
class GuardedTensor {
public:
  static constexpr int64_t guardBytes = 4096;

  static Result<GuardedTensor> create(Device &, ElementType,
                                      const std::array<int64_t, 4> &sizes);
  const TensorView &view() const { return tensor; }

  /// Makes every element and every guard a NaN.
  Result<void> fillWithNaN();
  /// Makes every element a NaN and the guards a pattern that readBack() checks.
  Result<void> poison();
  /// Copies `period` elements over and over until the tensor is full.
  Result<void> fillFrom(const std::vector<std::byte> &pool);
  /// Copies the tensor to the host. Errors: a guard band was written to.
  Result<std::vector<std::byte>> readBack() const;

private:
  Device *device = nullptr;
  Buffer buffer;
  TensorView tensor;
  int64_t bytes = 0;
};

/// Standard normal values, rounded to `type`: a few million bytes whose length
/// divides no tensor, to be repeated. Same seed, same values.
std::vector<std::byte> normalPool(ElementType type, uint64_t seed);

/// A view of host memory with the same sizes and strides.
TensorView hostView(const TensorView &like, std::vector<std::byte> &bytes);

} // namespace attn::bench

#endif // ATTN_BENCH_DEVICES_TENSORS_H
