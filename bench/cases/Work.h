// How much of the score matrix a mask keeps, and which of its tiles a kernel
// visits: found on the processor by the code that the compiler makes of the
// mask.
#ifndef ATTN_BENCH_CASES_WORK_H
#define ATTN_BENCH_CASES_WORK_H

#include "cases/Mods.h"

#include "attn/API/Tiles.h"

#include <map>
#include <tuple>

namespace attn::bench {

/// Of all batches and heads.
struct TileCounts {
  double all = 0, partial = 0, full = 0;
  double visited() const { return partial + full; }
};

/// Counts for the masks of a run, exactly. Keeps its results: dimensions and
/// types of a case do not change them.
class WorkCounter {
public:
  /// The pairs (batch, head, query, key) that the mask keeps. Errors: more
  /// pairs in partial tiles than are worth counting.
  Result<int64_t> countPairs(const Mod &, const ProblemSizes &,
                             const std::vector<CaptureData> &captures);
  /// The tiles of `queryTile` x `keyTile` pairs.
  Result<TileCounts> countTiles(const Mod &, const ProblemSizes &,
                                const std::vector<CaptureData> &captures,
                                int64_t queryTile, int64_t keyTile);
  /// The keys that any query reads, each key-value head's own, of `there`. A
  /// single query reads those that its mask keeps. A few queries read those of
  /// the tiles of 16 keys that they visit; the heads of a group are taken to
  /// read the same. Of more queries all keys count, but no more than there are
  /// pairs.
  Result<double> countKeysRead(const Mod &, const ProblemSizes &,
                               const std::vector<CaptureData> &captures,
                               double there);

private:
  Result<const TileFinder *> finderFor(const Mod &, int64_t queryTile,
                                       int64_t keyTile);
  Result<int64_t> count(const Mod &, const ProblemSizes &,
                        const std::vector<CaptureData> &captures);

  /// The bytes are those of positions, which sizes do not decide.
  using Key = std::tuple<const Mod::Impl *, int64_t, int64_t, int64_t, int64_t,
                         int64_t, std::vector<std::byte>>;
  std::map<Key, Result<int64_t>> counts;
  std::map<std::tuple<const Mod::Impl *, int64_t, int64_t>, Result<TileFinder>>
      finders;
  std::vector<Mod> mods; ///< whose addresses are keys
};

} // namespace attn::bench

#endif // ATTN_BENCH_CASES_WORK_H
