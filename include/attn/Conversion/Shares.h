// The kernels of shares (Tiling::shares), for who launches them, without MLIR.
#ifndef ATTN_CONVERSION_SHARES_H
#define ATTN_CONVERSION_SHARES_H

#include <cstdint>
#include <string_view>

namespace mlir::attn {

/// `@layer_merge` runs behind `@layer`, with the same parameters. It has a task
/// for each share, row of a query tile and `mergedChannels` channels of a
/// multiple of 16.
inline constexpr std::string_view mergeSuffix = "_merge";
inline constexpr int64_t mergedChannels = 4;

} // namespace mlir::attn

#endif // ATTN_CONVERSION_SHARES_H
