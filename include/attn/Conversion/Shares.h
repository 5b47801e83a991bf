// The kernels of shares and of chunks (Tiling), for who launches them, without
// MLIR.
#ifndef ATTN_CONVERSION_SHARES_H
#define ATTN_CONVERSION_SHARES_H

#include <cstdint>
#include <string_view>

namespace mlir::attn {

/// `@layer_merge` runs behind `@layer`, with the same parameters. It has a task,
/// on a GPU for a team (ThreadKernels.h), for each query tile of all batches and
/// heads, or share where these are fewer, row that a query tile may have and
/// `mergedChannels` channels of a multiple of 16.
inline constexpr std::string_view mergeSuffix = "_merge";
inline constexpr int64_t mergedChannels = 4;

/// Between how many tasks a CPU's kernels of shares divide the visits, unless
/// they are told: enough for the threads of most processors, of which fast ones
/// do more; the same for all, so that results do not depend on how many there
/// are.
inline constexpr int64_t hostShares = 128;

/// Positions that a share has at least: what is merged later costs as much as a
/// visit.
inline constexpr int64_t leastShare = 2;

/// The chunks of a query tile are as many as its visits make of the size that
/// the schedule has, but no more than these; so many slots it has.
inline constexpr int64_t mostChunks = 32;

} // namespace mlir::attn

#endif // ATTN_CONVERSION_SHARES_H
