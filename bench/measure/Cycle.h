// How busy a GPU is kept while backends are timed. A chip under a power cap
// gets faster the more it rests, so that a race is fair only if all rest
// equally: the share of time at work is chosen here, once for all backends of a
// case, whatever process they run in.
#ifndef ATTN_BENCH_MEASURE_CYCLE_H
#define ATTN_BENCH_MEASURE_CYCLE_H

#include "measure/Timing.h"

namespace attn::bench {

/// Samples that are enqueued in one go, if one keeps the GPU busy for
/// `gpuSeconds`: as many as make `batchSeconds`, `samples` at most, one at
/// least.
int batchSize(double gpuSeconds, const TurnOptions &options);

/// Seconds without work that go before `busy` seconds of it.
double restFor(double busy, double duty);

/// The largest duty that all of `paces` can keep: with it, the rest before each
/// batch is as long as each one's host needs between two batches and for being
/// ahead of the GPU throughout the next; never above kMostDuty.
double dutyFor(const std::vector<Pace> &paces, const TurnOptions &options);

/// Even where hosts would do with less, batches are so far apart that the time
/// which a host takes now and then does not show.
constexpr double kMostDuty = 0.98;

/// The fewest turns of each backend. Samples of one turn meet the same clock,
/// which moves by 1 to 2% from turn to turn under a power cap: fewer turns than
/// these leave medians of equal kernels more than 1% apart now and then
/// (docs/Benchmarking.md).
constexpr int kPacedRounds = 12;

} // namespace attn::bench

#endif // ATTN_BENCH_MEASURE_CYCLE_H
