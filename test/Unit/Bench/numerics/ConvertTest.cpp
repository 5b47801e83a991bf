// Conversions between element types, over every 16-bit value.
#include "numerics/Convert.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

using namespace attn;
using namespace attn::bench;

namespace {
uint16_t halfOf(ElementType type, float value) {
  uint16_t half = 0;
  fromFloat(&half, type, &value, 1);
  return half;
}

float floatOf(ElementType type, uint16_t half) {
  float value = 0;
  toFloat(&value, &half, type, 1);
  return value;
}

/// Every finite value converts back to itself, and a value between two
/// neighbours goes to the nearer one, a tie to the even one.
void checkRounding(ElementType type, uint16_t largest) {
  for (uint32_t bits = 0; bits < largest; ++bits) {
    float low = floatOf(type, bits), high = floatOf(type, bits + 1);
    ASSERT_EQ(halfOf(type, low), bits);
    ASSERT_EQ(halfOf(type, -low), bits | 0x8000);
    float middle = static_cast<float>((double(low) + high) / 2);
    ASSERT_EQ(halfOf(type, middle), bits % 2 ? bits + 1 : bits);
    ASSERT_EQ(halfOf(type, std::nextafter(middle, high)), bits + 1);
    ASSERT_EQ(halfOf(type, std::nextafter(middle, low)), bits);
  }
}

TEST(Convert, F16RoundsToNearestEven) {
  checkRounding(ElementType::F16, 0x7bff);
  EXPECT_EQ(floatOf(ElementType::F16, 1), 0x1p-24f);
  EXPECT_EQ(floatOf(ElementType::F16, 0x7bff), 65504.f);
  EXPECT_EQ(halfOf(ElementType::F16, 65519.f), 0x7bff);
  EXPECT_EQ(halfOf(ElementType::F16, 65520.f), 0x7c00);
  EXPECT_EQ(halfOf(ElementType::F16, 1e30f), 0x7c00);
}

TEST(Convert, BF16RoundsToNearestEven) {
  checkRounding(ElementType::BF16, 0x7f7f);
  EXPECT_EQ(floatOf(ElementType::BF16, 0x3f80), 1.f);
}

TEST(Convert, NaNAndInfinityStay) {
  float nan = std::numeric_limits<float>::quiet_NaN();
  float infinity = std::numeric_limits<float>::infinity();
  for (ElementType type : {ElementType::F16, ElementType::BF16}) {
    EXPECT_TRUE(std::isnan(floatOf(type, halfOf(type, nan))));
    EXPECT_TRUE(std::isnan(floatOf(type, 0xffff)));
    EXPECT_EQ(floatOf(type, halfOf(type, infinity)), infinity);
    EXPECT_EQ(floatOf(type, halfOf(type, -infinity)), -infinity);
  }
}

TEST(Convert, RowsOfAView) {
  float data[24];
  TensorView view;
  view.data = data;
  view.sizes = {1, 2, 3, 4};
  view.strides = {24, 4, 8};
  EXPECT_EQ(rowOf(view, 0, 1, 2), data + 20);
}
} // namespace
