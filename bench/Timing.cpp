// Medians and the stopping rule.
#include "Timing.h"

#include <algorithm>

using namespace attn::bench;

double Timing::median() const {
  if (samples.empty())
    return 0;
  std::vector<double> sorted = samples;
  size_t middle = sorted.size() / 2;
  std::nth_element(sorted.begin(), sorted.begin() + middle, sorted.end());
  double upper = sorted[middle];
  if (sorted.size() % 2)
    return upper;
  return (upper + *std::max_element(sorted.begin(), sorted.begin() + middle)) /
         2;
}

bool Sampler::needsWarmup() const {
  if (warmups && warmupTotal >= options.maxSeconds / 4)
    return false;
  return warmups < 3 || warmupTotal < options.warmupSeconds;
}

void Sampler::addWarmup(double seconds) {
  ++warmups;
  warmupTotal += seconds;
}

bool Sampler::needsSample() const {
  int count = static_cast<int>(timing.samples.size());
  if (count == 0)
    return true;
  if (count >= options.maxSamples || total >= options.maxSeconds)
    return false;
  return count < options.minSamples || total < options.minSeconds;
}

void Sampler::addSample(double seconds) {
  timing.samples.push_back(seconds);
  total += seconds;
}
