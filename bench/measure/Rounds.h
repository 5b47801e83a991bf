// Backends against each other: turn after turn, round after round.
#ifndef ATTN_BENCH_MEASURE_ROUNDS_H
#define ATTN_BENCH_MEASURE_ROUNDS_H

#include "measure/Timing.h"

#include "attn/API/Result.h"

#include <functional>

namespace attn::bench {

/// Someone who is timed.
struct Contestant {
  std::function<Result<Turn>(const TurnOptions &)> turn;
  Timing timing;     ///< the result
  std::string error; ///< of a turn that failed; empty: none did
};

/// If they are to be paced, finds out each one's pace and the duty that all can
/// keep. Then gives each contestant turns until it has been sampled enough, has
/// failed, or Ctrl-C comes. Each round has another random order (the same in
/// each run): a turn meets the clocks and temperature that the one before it
/// left behind.
void sampleInRounds(std::vector<Contestant> &contestants,
                    const TimingOptions &options);

} // namespace attn::bench

#endif // ATTN_BENCH_MEASURE_ROUNDS_H
