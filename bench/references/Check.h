// Compares a result with the reference and judges the error.
#ifndef ATTN_BENCH_REFERENCES_CHECK_H
#define ATTN_BENCH_REFERENCES_CHECK_H

#include "attn/API/Attention.h"

namespace attn::bench {

/// The largest absolute difference, and where it is: (batch, head, position,
/// channel). NaN if the result has one that the reference has not.
struct Difference {
  double value = 0;
  std::array<int64_t, 4> at{};
};

/// `result` is a view of host memory; `reference` is contiguous with the same
/// sizes.
Difference compare(const TensorView &result,
                   const std::vector<float> &reference);

/// The largest absolute value; NaN if there is one.
double largestMagnitude(const std::vector<float> &values);

/// The largest error that passes: twice that of the same computation done in
/// the element type by the `math` backend, plus a floor: two roundings of the
/// largest output to the element type, and 2^-20 of it, which is what the order
/// of f32 sums decides. Where there is no such error (no library for `math`),
/// sixteen floors take its place, and what f32 loses of scores as large as the
/// positions that a mod may add to them.
double errorBound(ElementType type, double largestOutput,
                  std::optional<double> mathError, int64_t length);

/// What `math`, the yardstick, has to keep itself: a tenth of the largest
/// output, which a wrong mask, head or stride exceeds.
double yardstickBound(double largestOutput);

} // namespace attn::bench

#endif // ATTN_BENCH_REFERENCES_CHECK_H
