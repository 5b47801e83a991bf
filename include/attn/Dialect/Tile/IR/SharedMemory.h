// Where a block whose warps have roles keeps what in shared memory: bytes from
// its aligned start. tile-place-shared gives everything its place; nobody else
// computes an offset.
#ifndef ATTN_DIALECT_TILE_IR_SHAREDMEMORY_H
#define ATTN_DIALECT_TILE_IR_SHAREDMEMORY_H

#include <cstdint>

namespace mlir::attn::tile::shared {

/// Some bytes of shared memory, from `begin` to before `end`.
struct Area {
  int64_t begin, end;
};

/// What swizzled tiles are aligned to; what the first of them begins with.
inline constexpr int64_t tileAlignment = 1024;

/// Before the tiles: the words of barriers; then numbers, those about
/// tiles and the others; and a word that is nobody's.
inline constexpr Area barriers{0, 512}, numbersAbout{512, 592},
    numbers{592, 1016};
inline constexpr int64_t unusedOffset = 1020;
static_assert(numbers.end <= unusedOffset && unusedOffset + 4 <= tileAlignment);

/// Bytes of one barrier.
inline constexpr int64_t barrierBytes = 8;

/// Tasks that are on their way from who draws them, and how many numbers each
/// may have.
inline constexpr int64_t taskStages = 2;
inline constexpr int64_t mostTaskNumbers =
    (numbers.end - numbers.begin) / (8 * taskStages);

} // namespace mlir::attn::tile::shared

#endif // ATTN_DIALECT_TILE_IR_SHAREDMEMORY_H
