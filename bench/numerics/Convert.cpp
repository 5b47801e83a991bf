// Conversions in plain integer arithmetic, which compilers vectorise and which
// needs no processor with 16-bit floating point.
#include "numerics/Convert.h"

#include <algorithm>
#include <cmath>
#include <cstring>

using namespace attn;
using namespace attn::bench;

static uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

static float floatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

static float bf16ToFloat(uint16_t half) {
  return floatOf(uint32_t(half) << 16);
}

static uint16_t floatToBF16(float value) {
  uint32_t bits = bitsOf(value);
  if ((bits & 0x7fffffff) > 0x7f800000)
    return uint16_t(bits >> 16) | 0x40; // a NaN stays one
  return uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

static float f16ToFloat(uint16_t half) {
  uint32_t sign = uint32_t(half & 0x8000) << 16, rest = half & 0x7fff;
  if (rest >= 0x7c00)
    return floatOf(sign | 0x7f800000 | (rest & 0x3ff) << 13);
  // Scaling by 2^112 moves the exponent and makes subnormals normal.
  float magnitude = floatOf(rest << 13) * 0x1p112f;
  return floatOf(sign | bitsOf(magnitude));
}

static uint16_t floatToF16(float value) {
  uint32_t bits = bitsOf(value), sign = bits >> 16 & 0x8000;
  uint32_t rest = bits & 0x7fffffff;
  if (rest > 0x7f800000)
    return uint16_t(sign | 0x7e00);
  if (rest >= 0x47800000) // 65536 and above, infinity
    return uint16_t(sign | 0x7c00);
  if (rest <
      0x38800000) { // below 2^-14: the adder rounds to a multiple of 2^-24
    float shifted = floatOf(rest) + 0.5f;
    return uint16_t(sign | (bitsOf(shifted) - 0x3f000000));
  }
  // Rounds up to infinity by itself, from 65520 on.
  rest += 0xfff + ((rest >> 13) & 1);
  return uint16_t(sign | (rest - 0x38000000) >> 13);
}

double attn::bench::unitRoundoff(ElementType type) {
  switch (type) {
  case ElementType::F16:
    return 0x1p-11;
  case ElementType::BF16:
    return 0x1p-8;
  case ElementType::F64:
    return 0x1p-53;
  default:
    return 0x1p-24;
  }
}

template <typename T>
static void widen(T *to, const void *from, ElementType type, int64_t count) {
  const auto *halves = static_cast<const uint16_t *>(from);
  const auto *floats = static_cast<const float *>(from);
  if (type == ElementType::BF16)
    for (int64_t i = 0; i < count; ++i)
      to[i] = bf16ToFloat(halves[i]);
  else if (type == ElementType::F16)
    for (int64_t i = 0; i < count; ++i)
      to[i] = f16ToFloat(halves[i]);
  else
    for (int64_t i = 0; i < count; ++i)
      to[i] = floats[i];
}

void attn::bench::toFloat(float *to, const void *from, ElementType type,
                          int64_t count) {
  widen(to, from, type, count);
}

void attn::bench::toDouble(double *to, const void *from, ElementType type,
                           int64_t count) {
  widen(to, from, type, count);
}

void attn::bench::fromFloat(void *to, ElementType type, const float *from,
                            int64_t count) {
  auto *halves = static_cast<uint16_t *>(to);
  if (type == ElementType::BF16)
    for (int64_t i = 0; i < count; ++i)
      halves[i] = floatToBF16(from[i]);
  else if (type == ElementType::F16)
    for (int64_t i = 0; i < count; ++i)
      halves[i] = floatToF16(from[i]);
  else
    std::copy_n(from, count, static_cast<float *>(to));
}

void attn::bench::roundTo(ElementType type, float *values, int64_t count) {
  if (type == ElementType::BF16)
    for (int64_t i = 0; i < count; ++i)
      values[i] = bf16ToFloat(floatToBF16(values[i]));
  else if (type == ElementType::F16)
    for (int64_t i = 0; i < count; ++i)
      values[i] = f16ToFloat(floatToF16(values[i]));
}

void *attn::bench::rowOf(const TensorView &view, int64_t batch, int64_t head,
                         int64_t position) {
  int64_t offset = batch * view.strides[0] + head * view.strides[1] +
                   position * view.strides[2];
  return static_cast<char *>(view.data) + offset * byteWidth(view.type);
}
