// Tensor maps for TMA of sm_90 and newer.
#include "attn/Runtime/CUDADriver.h"
#include "attn/Support/Try.h"

#include <algorithm>
#include <array>

using namespace attn;
using namespace attn::cuda;

static Result<TensorMap> encode(const TensorMapShape &shape, int64_t rows) {
  ATTN_TRY_ASSIGN(const Driver *table, driver());
  constexpr int64_t width = 2;
  TensorMapSize sizes[4], strides[3];
  for (int i = 0; i < 4; ++i)
    sizes[i] = std::max<int64_t>(shape.sizes[i], 1);
  for (int i = 0; i < 3; ++i) {
    // Nothing steps along a dimension of one element.
    bool steps = sizes[i + 1] > 1;
    strides[i] = steps ? shape.strides[i] * width : 16;
    if (steps && (shape.strides[i] < 0 || strides[i] % 16 != 0))
      return Error{"expects strides of multiples of 16 bytes, got " +
                   std::to_string(shape.strides[i] * width)};
  }
  const unsigned box[] = {64, static_cast<unsigned>(rows), 1, 1};
  const unsigned elementStrides[] = {1, 1, 1, 1};
  TensorMap map;
  ATTN_TRY(table->check(
      table->tensorMapEncodeTiled(&map, shape.type, 4, shape.address, sizes,
                                  strides, box, elementStrides,
                                  kTensorMapNoInterleave, kTensorMapSwizzle128,
                                  kTensorMapL2Promotion256, kTensorMapFillZero),
      "cuTensorMapEncodeTiled"));
  return map;
}

namespace {
/// The maps that a thread made last: launches come with the same tensors again
/// and again, and a map says nothing but what it is made of.
class RecentMaps {
public:
  struct Entry {
    TensorMapShape shape;
    int64_t rows = 0; ///< 0: there is none
    TensorMap map;
  };

  /// Where the map is, or would be.
  Entry &placeOf(const TensorMapShape &shape, int64_t rows) {
    auto address = reinterpret_cast<uintptr_t>(shape.address);
    uint64_t mixed = address / 128 + static_cast<uint64_t>(rows);
    for (int64_t size : shape.sizes)
      mixed = mixed * 31 + static_cast<uint64_t>(size);
    // The high bits of a product depend on all of its factor's.
    return entries[mixed * 0x9E3779B97F4A7C15u >> 58];
  }

private:
  std::array<Entry, 64> entries;
};
} // namespace

Result<TensorMap> cuda::encodeTensorMap(const TensorMapShape &shape,
                                        int64_t rows) {
  static thread_local RecentMaps recent;
  RecentMaps::Entry &place = recent.placeOf(shape, rows);
  if (place.rows == rows && place.shape == shape)
    return place.map;
  ATTN_TRY_ASSIGN(TensorMap map, encode(shape, rows));
  place = {shape, rows, map};
  return map;
}
