// How long code took to be there, apart for what was compiled and what came
// from the cache on disk (attn/API/Cache.h).
#ifndef ATTN_BENCH_MEASURE_CODETIME_H
#define ATTN_BENCH_MEASURE_CODETIME_H

#include "attn/API/Cache.h"

#include <chrono>

namespace attn::bench {

struct CodeTime {
  double compiled = 0; ///< seconds; of steps in which anything was compiled
  double cached = 0;   ///< of those for which the cache had all

  CodeTime &operator+=(const CodeTime &other) {
    compiled += other.compiled, cached += other.cached;
    return *this;
  }
};

/// Of one step, from its construction on.
class CodeTimer {
public:
  /// A step that asked for no code took no such time.
  CodeTime stop() const {
    CodeCounts now = codeCounts();
    std::chrono::duration<double> time = Clock::now() - start;
    if (now.compiled > before.compiled)
      return {time.count(), 0};
    return {0, now.cached > before.cached ? time.count() : 0};
  }

private:
  using Clock = std::chrono::steady_clock;
  CodeCounts before = codeCounts();
  Clock::time_point start = Clock::now();
};

} // namespace attn::bench

#endif // ATTN_BENCH_MEASURE_CODETIME_H
