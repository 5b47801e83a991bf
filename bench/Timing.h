// The stopping rule of a measurement, apart from the clock that feeds it.
#ifndef ATTN_BENCH_TIMING_H
#define ATTN_BENCH_TIMING_H

#include "Device.h"

namespace attn::bench {

/// Decides how many warm-up calls and samples a measurement takes. A call that
/// lasts longer than a quarter of maxSeconds is warmed up once, not three
/// times, and need not reach minSamples: maxSeconds bounds the whole.
class Sampler {
public:
  explicit Sampler(const TimingOptions &options) : options(options) {}

  /// Whether another warm-up call is needed.
  bool needsWarmup() const;
  void addWarmup(double seconds);

  /// Whether another sample is needed.
  bool needsSample() const;
  void addSample(double seconds);

  Timing take() { return std::move(timing); }

private:
  TimingOptions options;
  Timing timing;
  double warmupTotal = 0, total = 0;
  int warmups = 0;
};

} // namespace attn::bench

#endif // ATTN_BENCH_TIMING_H
