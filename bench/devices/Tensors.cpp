// Guarded tensors and their random contents.
#include "devices/Tensors.h"

#include "numerics/Convert.h"

#include "attn/Support/Try.h"

#include <algorithm>
#include <cstring>
#include <random>

using namespace attn;
using namespace attn::bench;

static constexpr unsigned char guardPattern = 0xa5;

Result<Buffer> Buffer::create(Device &device, int64_t bytes) {
  ATTN_TRY_ASSIGN(void *memory, device.allocate(bytes));
  Buffer buffer;
  buffer.device = &device;
  buffer.memory = memory;
  return buffer;
}

Result<GuardedTensor>
GuardedTensor::create(Device &device, ElementType type,
                      const std::array<int64_t, 4> &sizes) {
  auto [batch, heads, length, dim] = sizes;
  GuardedTensor result;
  result.device = &device;
  result.bytes = batch * heads * length * dim * byteWidth(type);
  ATTN_TRY_ASSIGN(Buffer buffer,
                  Buffer::create(device, result.bytes + 2 * guardBytes));
  result.buffer = std::move(buffer);
  result.tensor.data = static_cast<char *>(result.buffer.data()) + guardBytes;
  result.tensor.type = type;
  result.tensor.sizes = sizes;
  result.tensor.strides = {length * heads * dim, dim, heads * dim};
  return result;
}

Result<void> GuardedTensor::fillWithNaN() {
  return device->fill(buffer.data(), 0xff, bytes + 2 * guardBytes);
}

Result<void> GuardedTensor::poison() {
  Result<void> filled =
      device->fill(buffer.data(), guardPattern, bytes + 2 * guardBytes);
  if (!filled || bytes == 0)
    return filled;
  return device->fill(tensor.data, 0xff, bytes);
}

Result<void> GuardedTensor::fillFrom(const std::vector<std::byte> &pool) {
  int64_t period = static_cast<int64_t>(pool.size());
  for (int64_t offset = 0; offset < bytes; offset += period) {
    ATTN_TRY(device->copyIn(static_cast<char *>(tensor.data) + offset,
                            pool.data(), std::min(period, bytes - offset)));
  }
  return {};
}

Result<std::vector<std::byte>> GuardedTensor::readBack() const {
  std::vector<std::byte> all(bytes + 2 * guardBytes);
  ATTN_TRY(device->copyOut(all.data(), buffer.data(), all.size()));
  auto isIntact = [](std::byte byte) {
    return byte == std::byte(guardPattern);
  };
  if (!std::all_of(all.begin(), all.begin() + guardBytes, isIntact))
    return Error{"writes before the output"};
  if (!std::all_of(all.end() - guardBytes, all.end(), isIntact))
    return Error{"writes past the output"};
  std::memmove(all.data(), all.data() + guardBytes, bytes);
  all.resize(bytes);
  return all;
}

std::vector<std::byte> attn::bench::normalPool(ElementType type,
                                               uint64_t seed) {
  // A prime length: rows of different heads and batches differ.
  constexpr int64_t count = 1048583;
  std::vector<float> values(count);
  std::mt19937_64 generator(seed);
  std::normal_distribution<float> normal;
  for (float &value : values)
    value = normal(generator);
  std::vector<std::byte> pool(count * byteWidth(type));
  fromFloat(pool.data(), type, values.data(), count);
  return pool;
}

TensorView attn::bench::hostView(const TensorView &like,
                                 std::vector<std::byte> &bytes) {
  TensorView view = like;
  view.data = bytes.data();
  return view;
}
