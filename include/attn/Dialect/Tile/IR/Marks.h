// What passes say to each other about operations of other dialects: attributes
// of these names, which the dialect verifies. Most are hints that may be
// ignored; those that say "must" are part of what the operation means.
#ifndef ATTN_DIALECT_TILE_IR_MARKS_H
#define ATTN_DIALECT_TILE_IR_MARKS_H

#include "llvm/ADT/StringRef.h"

namespace mlir::attn::tile {

/// Of a product: a weight of zero must give zero, whatever it is multiplied by.
inline constexpr llvm::StringLiteral zeroSafeMark = "tile.zero_safe";
/// Of a reduction: each thread must keep the result of its own elements, which
/// tile.combine_threads adds up later.
inline constexpr llvm::StringLiteral withinThreadMark = "tile.within_thread";
/// Of a reduction: it is the greatest score of each row so far, and weights
/// double with every so much (f32) that a score grows.
inline constexpr llvm::StringLiteral runningMaximumMark =
    "tile.running_maximum";
/// Of an elementwise maximum: by how much (f32) rows may fall behind it.
inline constexpr llvm::StringLiteral slackMark = "tile.slack";
/// Of an elementwise operation: 1 in rows that keep their old maximum.
inline constexpr llvm::StringLiteral oneIfKeptMark = "tile.one_if_kept";
/// Of an elementwise product: rows whose factor is 1 need not be computed.
inline constexpr llvm::StringLiteral skipOnesMark = "tile.skip_ones";
/// Of a load in elementwise work on a tile, of 16 or 32 bits: what an even
/// column reads, and the next, lie side by side in memory that nobody writes,
/// the first at a multiple of their bytes.
inline constexpr llvm::StringLiteral neighboursMark = "tile.neighbours";

} // namespace mlir::attn::tile

#endif // ATTN_DIALECT_TILE_IR_MARKS_H
