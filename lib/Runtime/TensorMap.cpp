// Tensor maps for TMA of sm_90 and newer.
#include "attn/Runtime/CUDADriver.h"
#include "attn/Support/Try.h"

#include <algorithm>

using namespace attn;
using namespace attn::cuda;

Result<TensorMap> cuda::encodeTensorMap(const TensorMapShape &shape,
                                        int64_t rows) {
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
