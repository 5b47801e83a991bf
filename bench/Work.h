// How much of the score matrix a mask keeps: what TFLOP/s are counted over.
#ifndef ATTN_BENCH_WORK_H
#define ATTN_BENCH_WORK_H

#include "Mods.h"

#include <map>
#include <tuple>

namespace attn::bench {

/// Counts the pairs (batch, head, query, key) that a mod's mask keeps, exactly
/// and for any mask: attention with all scores zero has the logarithm of a
/// row's count as its LSE. That kernel runs on the processor and skips the
/// tiles which the mask empties. Keeps its results: dimensions and types of a
/// case do not change them.
class WorkCounter {
public:
  /// Errors: more pairs than are worth counting; a mod file that the counting
  /// mod cannot be added to.
  Result<int64_t> countPairs(const LoadedMod &, const ProblemSizes &,
                             const std::vector<CaptureData> &captures);

private:
  Result<int64_t> count(const LoadedMod &, const ProblemSizes &,
                        const std::vector<CaptureData> &captures);
  Result<const AttentionKernel *> kernelFor(const LoadedMod &);

  using Key =
      std::tuple<std::string, int64_t, int64_t, int64_t, int64_t, int64_t>;
  std::map<Key, Result<int64_t>> counts;
  std::map<std::string, Result<AttentionKernel>> kernels;
};

} // namespace attn::bench

#endif // ATTN_BENCH_WORK_H
