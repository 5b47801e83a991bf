// Where a block whose warps have roles keeps what in shared memory: bytes from
// its aligned start. tile-place-shared gives everything its place; nobody else
// computes an offset. And how much a tile takes: passes that make places for
// tiles, and who tells the bytes of a kernel that is not compiled
// (attn/Analysis/ScheduleCost.h), ask here.
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

/// What there is beside tiles, with what it takes to align the start.
inline constexpr int64_t besideTiles = 2 * tileAlignment;

/// Bytes of a matrix of 16-bit elements in a ring: chunks of 64 columns, with
/// the 128-byte swizzle.
inline constexpr int64_t swizzledBytes(int64_t rows, int64_t columns) {
  return rows * ((columns + 63) / 64) * 128;
}
/// Of f32 in a ring: as threads hold them.
inline constexpr int64_t floatBytes(int64_t elements) { return 4 * elements; }

/// Of what a warp hands to others, as its threads hold it: of a matrix each has
/// its elements, of a vector four threads have each.
inline constexpr int64_t floatsOfWarp(int64_t rows, int64_t columns) {
  return floatBytes(rows * columns);
}

/// Of a number of 32 bits for each diagonal of the `rows` of a warp: as many as
/// its lanes make at a time.
inline constexpr int64_t diagonalsOfWarp(int64_t rows, int64_t columns) {
  return (rows + columns - 1 + 31) / 32 * 32 * 4;
}

/// Of the sums that each thread of a warp has of their diagonals: for each 8 of
/// rows and columns two words a lane, and one to keep them apart.
inline constexpr int64_t diagonalSumsOfWarp(int64_t rows, int64_t columns) {
  return ((rows / 8 + columns / 8 - 1) * 65 + 3) / 4 * 4 * 4;
}

/// Without roles rows are padded: then eight consecutive rows lie in different
/// banks, for ldmatrix as for the 4-byte reads of f32 fragments.
inline constexpr int64_t rowPadding = 16;
inline constexpr int64_t paddedBytes(int64_t rows, int64_t columns,
                                     int64_t elementBytes) {
  return rows * (columns * elementBytes + rowPadding);
}

/// Places for sums of `bytes` on their way to memory, of a pipeline of so many
/// stages. More than one hides what little the one who stores is late; large
/// ones have no room.
inline constexpr int64_t sumStages(int64_t bytes, int64_t stages) {
  return bytes <= 16 * 1024 ? stages : 1;
}
/// Places for operands that groups share: one is written while another is
/// still read.
inline constexpr int64_t sharedOperandStages = 2;

/// Bytes of one barrier.
inline constexpr int64_t barrierBytes = 8;

/// Tasks that are on their way from who draws them, and how many numbers each
/// may have.
inline constexpr int64_t taskStages = 2;
inline constexpr int64_t mostTaskNumbers =
    (numbers.end - numbers.begin) / (8 * taskStages);

} // namespace mlir::attn::tile::shared

#endif // ATTN_DIALECT_TILE_IR_SHAREDMEMORY_H
