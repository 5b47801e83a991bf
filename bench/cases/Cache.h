// What the caches of a batch hold, as a seed decides it: how many keys each
// sequence has, and where their pages lie.
#ifndef ATTN_BENCH_CASES_CACHE_H
#define ATTN_BENCH_CASES_CACHE_H

#include "config/KeyLengths.h"

#include <vector>

namespace attn::bench {

/// The number of keys of each of `batch` sequences with room for `capacity`.
/// The same for the same rule, batch and seed.
std::vector<int32_t> drawLengths(const KeyLengths &, int64_t batch,
                                 int64_t capacity, int64_t seed);

/// Which page holds which keys of a sequence: page i of sequence b is
/// ids[b * columns + i].
struct PageTable {
  int64_t pages = 0;   ///< that there are
  int64_t columns = 0; ///< of each sequence: enough for the capacity
  /// Behind a sequence's last page the id of a page that no sequence has.
  std::vector<int32_t> ids;
};

/// A page for each `rows` keys that are there, and one more, in random order.
PageTable drawPages(const std::vector<int32_t> &lengths, int64_t capacity,
                    int64_t rows, int64_t seed);

} // namespace attn::bench

#endif // ATTN_BENCH_CASES_CACHE_H
