// Errors and their bound.
#include "references/Check.h"

#include "numerics/Convert.h"
#include "support/Parallel.h"

#include <cmath>
#include <limits>
#include <mutex>

using namespace attn;
using namespace attn::bench;

/// Orders differences by size, NaN last.
static bool isWorse(double value, double than) {
  return std::isnan(value) ? !std::isnan(than) : value > than;
}

/// The largest difference in one row of channels.
static void compareRow(Difference &worst, const float *row,
                       const float *reference, const std::array<int64_t, 3> &at,
                       int64_t dim) {
  for (int64_t i = 0; i < dim; ++i) {
    double value = std::fabs(double(row[i]) - double(reference[i]));
    if (isWorse(value, worst.value))
      worst = {value, {at[0], at[1], at[2], i}};
  }
}

Difference attn::bench::compare(const TensorView &result,
                                const std::vector<float> &reference) {
  auto [batch, heads, length, dim] = result.sizes;
  Difference worst;
  std::mutex mutex;
  int64_t rows = batch * heads * length;
  // A structured binding cannot be captured in C++17.
  int64_t headCount = heads, rowCount = length, channels = dim;
  parallelFor(rows, 256, [&](int64_t begin, int64_t end) {
    Difference local;
    std::vector<float> row(channels);
    for (int64_t i = begin; i < end; ++i) {
      std::array<int64_t, 3> at = {i / rowCount / headCount,
                                   i / rowCount % headCount, i % rowCount};
      toFloat(row.data(), rowOf(result, at[0], at[1], at[2]), result.type,
              channels);
      compareRow(local, row.data(), &reference[i * channels], at, channels);
    }
    std::lock_guard<std::mutex> lock(mutex);
    if (isWorse(local.value, worst.value))
      worst = local;
  });
  return worst;
}

double attn::bench::largestMagnitude(const std::vector<float> &values) {
  double largest = 0;
  for (float value : values)
    if (isWorse(std::fabs(value), largest))
      largest = std::fabs(value);
  return largest;
}

double attn::bench::errorBound(ElementType type, double largestOutput,
                               std::optional<double> mathError,
                               int64_t length) {
  double magnitude = std::max(1.0, largestOutput);
  double floor = (2 * unitRoundoff(type) + 0x1p-20) * magnitude;
  if (mathError)
    return 2 * *mathError + floor;
  double scores = 4 * unitRoundoff(ElementType::F32) * double(length);
  return 16 * floor + scores * magnitude;
}

double attn::bench::yardstickBound(double largestOutput) {
  return 0.1 * largestOutput + 1e-6;
}
