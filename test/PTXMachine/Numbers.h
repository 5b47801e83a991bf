// 16-bit floats and the flushing of subnormal numbers.
#ifndef ATTN_TEST_PTXMACHINE_NUMBERS_H
#define ATTN_TEST_PTXMACHINE_NUMBERS_H

#include <cmath>
#include <cstdint>
#include <cstring>

namespace attn::ptx {

template <typename To, typename From> inline To bitsAs(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(to));
  return to;
}

inline float flush(float x) {
  uint32_t bits = bitsAs<uint32_t>(x);
  return (bits & 0x7f800000) == 0 ? bitsAs<float>(bits & 0x80000000) : x;
}

struct BFloat16 {
  uint16_t bits;
  operator float() const { return bitsAs<float>(uint32_t(bits) << 16); }
  static BFloat16 round(float x) {
    uint32_t b = bitsAs<uint32_t>(x);
    if (std::isnan(x))
      return {0x7fff};
    return {uint16_t((b + 0x7fff + (b >> 16 & 1)) >> 16)};
  }
};

struct Float16 {
  uint16_t bits;
  operator float() const {
    uint32_t sign = uint32_t(bits & 0x8000) << 16, rest = bits & 0x7fff;
    if (rest >= 0x7c00) // infinite, NaN
      return bitsAs<float>(sign | 0x7f800000 | (rest & 0x3ff) << 13);
    if (rest < 0x400) { // subnormal
      float magnitude = float(rest) * 0x1p-24f;
      return sign ? -magnitude : magnitude;
    }
    return bitsAs<float>(sign | ((rest << 13) + 0x38000000));
  }
  static Float16 round(float x) {
    if (std::isnan(x))
      return {0x7fff};
    uint16_t sign = uint16_t(bitsAs<uint32_t>(x) >> 16 & 0x8000);
    float magnitude = std::fabs(x);
    if (magnitude >= 65520.0f)
      return {uint16_t(sign | 0x7c00)};
    if (magnitude < 0x1p-14f) // steps of 2^-24
      return {uint16_t(sign | uint16_t(std::nearbyintf(magnitude * 0x1p24f)))};
    uint32_t b = bitsAs<uint32_t>(magnitude);
    b += 0xfff + (b >> 13 & 1);
    return {uint16_t(sign | uint16_t((b - 0x38000000) >> 13))};
  }
};

} // namespace attn::ptx

#endif // ATTN_TEST_PTXMACHINE_NUMBERS_H
