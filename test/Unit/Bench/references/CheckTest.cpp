// What counts as wrong.
#include "references/Check.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

using namespace attn;
using namespace attn::bench;

namespace {
/// 2 x 3 x 400 x 5 elements, stored position before head.
struct Sample {
  Sample() : stored(2 * 3 * 400 * 5), expected(stored.size()) {
    view.data = stored.data();
    view.sizes = {2, 3, 400, 5};
    view.strides = {6000, 5, 15};
    for (int64_t b = 0; b < 2; ++b)
      for (int64_t h = 0; h < 3; ++h)
        for (int64_t q = 0; q < 400; ++q)
          for (int64_t d = 0; d < 5; ++d)
            stored[b * 6000 + q * 15 + h * 5 + d] =
                expected[((b * 3 + h) * 400 + q) * 5 + d] =
                    float(b + 10 * h + 100 * q + d);
  }
  std::vector<float> stored, expected;
  TensorView view;
};

TEST(Check, EqualTensors) {
  Sample sample;
  EXPECT_EQ(compare(sample.view, sample.expected).value, 0);
}

TEST(Check, FindsTheLargestDifference) {
  Sample sample;
  sample.stored[6000 + 7 * 15 + 2 * 5 + 3] += 0.5f;
  sample.stored[11] -= 0.25f;
  Difference difference = compare(sample.view, sample.expected);
  EXPECT_EQ(difference.value, 0.5);
  EXPECT_EQ(difference.at, (std::array<int64_t, 4>{1, 2, 7, 3}));
}

TEST(Check, NaNIsWorseThanAnything) {
  Sample sample;
  sample.stored[0] = 1e30f;
  sample.stored[399 * 15 + 14] = std::numeric_limits<float>::quiet_NaN();
  Difference difference = compare(sample.view, sample.expected);
  EXPECT_TRUE(std::isnan(difference.value));
  EXPECT_EQ(difference.at, (std::array<int64_t, 4>{0, 2, 399, 4}));
  EXPECT_FALSE(difference.value <= 1e38);
}

TEST(Check, LargestMagnitude) {
  EXPECT_EQ(largestMagnitude({1, -3, 2}), 3);
  EXPECT_TRUE(std::isnan(
      largestMagnitude({1, std::numeric_limits<float>::quiet_NaN(), 2})));
}

TEST(Check, BoundFollowsTheYardstick) {
  double tight = errorBound(ElementType::BF16, 1, 0.001, 64);
  EXPECT_DOUBLE_EQ(tight, 2 * 0.001 + 2 * 0x1p-8 + 0x1p-20);
  EXPECT_LT(errorBound(ElementType::F32, 4, 1e-7, 64), 1e-5);
  EXPECT_LT(errorBound(ElementType::F32, 4, std::nullopt, 64), 1e-3);
  EXPECT_LT(errorBound(ElementType::F32, 4, std::nullopt, 8192), 1e-2);
}
} // namespace
