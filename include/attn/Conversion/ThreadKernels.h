// The kernels of attn.merge and attn.append, for who launches them: a task, for
// a thread, for each piece of a row.
#ifndef ATTN_CONVERSION_THREADKERNELS_H
#define ATTN_CONVERSION_THREADKERNELS_H

#include <cstdint>

namespace mlir::attn {

/// Channels of a row of out that a task of attn.merge makes.
inline constexpr int64_t mergedPiece = 4;
/// Bytes of a row of keys, and of one of values, that a task of attn.append
/// copies.
inline constexpr int64_t appendedBytes = 16;

/// How many pieces a row has.
inline int64_t countPieces(int64_t channels, int64_t piece) {
  return (channels + piece - 1) / piece;
}

} // namespace mlir::attn

#endif // ATTN_CONVERSION_THREADKERNELS_H
