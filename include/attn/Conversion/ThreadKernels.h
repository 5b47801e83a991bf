// Kernels without tiles, for who launches them: those of attn.merge and
// attn.append, with a task for each piece of a row, and what merges parts of an
// attention (Shares.h).
#ifndef ATTN_CONVERSION_THREADKERNELS_H
#define ATTN_CONVERSION_THREADKERNELS_H

#include <cstdint>

namespace mlir::attn {

/// Channels of a row of out that a task of attn.merge makes.
inline constexpr int64_t mergedPiece = 4;
/// Bytes of a row of keys, and of one of values, that a task of attn.append
/// copies.
inline constexpr int64_t appendedBytes = 16;

/// A task is one thread of a GPU, or where it has parallel loops so many
/// adjacent ones, which divide the iterations.
inline constexpr int64_t teamThreads = 8;

/// How many pieces a row has.
inline int64_t countPieces(int64_t channels, int64_t piece) {
  return (channels + piece - 1) / piece;
}

} // namespace mlir::attn

#endif // ATTN_CONVERSION_THREADKERNELS_H
