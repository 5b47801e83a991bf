// Compares two runs of the same cases: which became faster, which slower, and
// which cannot be told apart from noise.
#ifndef ATTN_BENCH_REPORT_COMPARE_H
#define ATTN_BENCH_REPORT_COMPARE_H

#include "results/JSON.h"

namespace attn::bench {

enum class Verdict {
  Faster, ///< surely by more than the threshold
  Slower,
  Same,   ///< surely by less than the threshold
  Unsure, ///< the intervals do not say
  Fault,  ///< right before, wrong or failed now
  Fixed   ///< the other way round
};

/// "FASTER", "SLOWER", "SAME", "UNSURE", "FAULT", "FIXED".
const char *toString(Verdict);

/// The ratio after/before with the interval in which it lies if both medians
/// lie in their 95% intervals.
struct Change {
  double ratio = 1, low = 1, high = 1;
};

/// Without samples, ratio is 0.
Change changeOf(const Timing &before, const Timing &after);

/// `threshold` is a share, such as 0.02. Fewer than six samples on either side
/// are never sure.
Verdict judge(const Timing &before, const Timing &after, double threshold);

struct Comparison {
  std::string text;   ///< a table, counts, and what makes the runs unlike
  bool worse = false; ///< whether anything is Slower or a Fault
};

/// Compares what both runs have: cases by pattern, type and shape, backends by
/// name, both passes.
Comparison compareResults(const Results &before, const Results &after,
                          double threshold);

} // namespace attn::bench

#endif // ATTN_BENCH_REPORT_COMPARE_H
