// Compares the tiles that compiled code finds with brute force over all pairs.
#ifndef ATTN_TEST_ATTENTION_TILEHARNESS_H
#define ATTN_TEST_ATTENTION_TILEHARNESS_H

#include "Harness.h"
#include "devices/Tensors.h"

#include "attn/API/Tiles.h"

#include <functional>
#include <vector>

namespace attn::test {

using Table = std::vector<int32_t>;
using Keep = std::function<bool(int64_t b, int64_t h, int64_t q, int64_t kv)>;

/// A table of i32 in the device's memory.
struct DeviceTable {
  /// `sizes`: of one dimension if there are none.
  explicit DeviceTable(const Table &table, std::vector<int64_t> sizes = {});
  bench::Buffer buffer;
  std::vector<CaptureView> views;
};

ProblemSizes sizesOf(int64_t queries, int64_t keys, int64_t batch = 2,
                     int64_t heads = 3);

/// Expects that `finder` finds the class of every tile, lists them by query
/// tiles and by key tiles, and counts the pairs.
void expectTiles(const Result<TileFinder> &finder, const Keep &keep,
                 const ProblemSizes &sizes,
                 const std::vector<CaptureView> &captures);

} // namespace attn::test

#endif // ATTN_TEST_ATTENTION_TILEHARNESS_H
