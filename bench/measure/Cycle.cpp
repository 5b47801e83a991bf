// The choice of a duty cycle.
#include "measure/Cycle.h"

#include <algorithm>

using namespace attn::bench;

/// Over what a host was seen to need: it is not always as quick.
static constexpr double kMargin = 1.5;
/// A run of many kernels need not be enqueued as a whole before it may begin.
static constexpr double kLongestLead = 0.002;

int attn::bench::batchSize(double gpuSeconds, const TurnOptions &options) {
  if (gpuSeconds <= 0)
    return 1;
  return int(std::clamp<double>(options.batchSeconds / gpuSeconds, 1,
                                std::max(options.samples, 1)));
}

double attn::bench::restFor(double busy, double duty) {
  return duty > 0 && duty < 1 ? busy * (1 - duty) / duty : 0;
}

double attn::bench::dutyFor(const std::vector<Pace> &paces,
                            const TurnOptions &options) {
  double duty = kMostDuty;
  for (const Pace &pace : paces) {
    int count = batchSize(pace.gpu, options);
    double busy = count * pace.gpu;
    double lead = std::min(pace.host, kLongestLead) +
                  count * std::max(0.0, pace.host - pace.gpu);
    double rest = kMargin * (pace.between + lead);
    if (busy > 0)
      duty = std::min(duty, busy / (busy + rest));
  }
  return duty;
}
