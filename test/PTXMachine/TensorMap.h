// What the driver's double writes into a tensor map and the copy engine reads.
#ifndef ATTN_TEST_PTXMACHINE_TENSORMAP_H
#define ATTN_TEST_PTXMACHINE_TENSORMAP_H

#include <cstdint>

namespace attn::ptx {

struct TensorMap {
  static constexpr uint32_t kMagic = 0x70616d54;
  uint32_t magic;
  uint16_t rank, elementBytes;
  uint64_t address;
  uint64_t sizes[4];   ///< elements, the innermost first
  uint64_t strides[3]; ///< bytes, of all but the innermost
  uint16_t box[4];
  uint32_t swizzle; ///< 0 none, 1 32 bytes, 2 64 bytes, 3 128 bytes
};
static_assert(sizeof(TensorMap) <= 128);

/// The place of a byte in a swizzled tile: the bits of its address that say the
/// 16-byte chunk are mixed with those that say the row.
inline uint64_t swizzled(uint64_t address, uint32_t swizzle) {
  return address ^ ((address >> 3) & (((1u << swizzle) - 1) << 4));
}

} // namespace attn::ptx

#endif // ATTN_TEST_PTXMACHINE_TENSORMAP_H
