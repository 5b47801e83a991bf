// Medians, their confidence, and the stopping rules.
#include "measure/Timing.h"

#include <algorithm>
#include <cmath>

using namespace attn::bench;

const char *attn::bench::toString(Stop stop) {
  switch (stop) {
  case Stop::NotSampled:
    break;
  case Stop::Precise:
    return "precise";
  case Stop::SampleLimit:
    return "sample limit";
  case Stop::TimeLimit:
    return "time limit";
  }
  return "not sampled";
}

static double medianOf(std::vector<double> values) {
  if (values.empty())
    return 0;
  size_t middle = values.size() / 2;
  std::nth_element(values.begin(), values.begin() + middle, values.end());
  double upper = values[middle];
  if (values.size() % 2)
    return upper;
  return (upper + *std::max_element(values.begin(), values.begin() + middle)) /
         2;
}

double Timing::median() const { return medianOf(samples); }

double Timing::medianWithLaunch() const { return medianOf(withLaunch); }

double Timing::medianHost() const { return medianOf(host); }

double Timing::busyShare() const {
  double busy = 0, all = 0;
  for (const Batch &batch : batches) {
    busy += batch.busy;
    all += batch.busy + batch.rest;
  }
  return all > 0 ? busy / all : 0;
}

/// The rank (from 0) of the interval's lower end among `count` >= 6 samples:
/// the largest r with P(fewer than r+1 of them lie below the median) <= 2.5%,
/// where that number is binomial with probability 1/2.
static size_t lowerRank(size_t count) {
  double log = -double(count) * std::log(2.0), sum = std::exp(log);
  size_t rank = 0;
  for (; sum <= 0.025; ++rank) {
    log += std::log(double(count - rank)) - std::log(double(rank + 1));
    sum += std::exp(log);
  }
  return rank - 1;
}

static constexpr size_t fewestForInterval = 6;

/// Independent values with the median of `timing`: those of its turns, if they
/// are enough, else its samples.
static std::vector<double> independentValues(const Timing &timing) {
  if (timing.rounds.size() < fewestForInterval)
    return timing.samples;
  std::vector<double> turns;
  auto first = timing.samples.begin();
  for (int count : timing.rounds) {
    turns.push_back(medianOf({first, first + count}));
    first += count;
  }
  return turns;
}

Interval Timing::interval() const {
  if (samples.empty())
    return {};
  std::vector<double> sorted = independentValues(*this);
  std::sort(sorted.begin(), sorted.end());
  size_t low = sorted.size() < fewestForInterval ? 0 : lowerRank(sorted.size());
  return {sorted[low], sorted[sorted.size() - 1 - low]};
}

double Timing::relativeError() const {
  double middle = median();
  if (samples.size() < fewestForInterval)
    return 1;
  Interval ends = interval();
  return middle > 0 ? (ends.high - ends.low) / 2 / middle : 0;
}

Sampler::Sampler(const TimingOptions &options) : options(options) {
  timing.hot = options.hot;
}

void Sampler::add(const Turn &turn) {
  auto append = [](std::vector<double> &to, const std::vector<double> &from) {
    to.insert(to.end(), from.begin(), from.end());
  };
  append(timing.samples, turn.samples);
  append(timing.withLaunch, turn.withLaunch);
  append(timing.host, turn.host);
  timing.batches.insert(timing.batches.end(), turn.batches.begin(),
                        turn.batches.end());
  timing.rounds.push_back(static_cast<int>(turn.samples.size()));
  for (double seconds : turn.samples)
    total += seconds;
  if (static_cast<int>(timing.rounds.size()) < options.minRounds)
    return;
  if (timing.relativeError() <= options.precision)
    timing.stop = Stop::Precise;
  else if (static_cast<int>(timing.samples.size()) >= options.maxSamples)
    timing.stop = Stop::SampleLimit;
  else if (total >= options.maxSeconds)
    timing.stop = Stop::TimeLimit;
}

bool TurnRule::needsWarmup() const {
  if (!warmups || warmupTotal < options.warmupSeconds)
    return true;
  return warmups < 3 && warmupTotal < options.seconds / 4;
}

void TurnRule::addWarmup(double seconds, int count) {
  warmups += count;
  warmupTotal += seconds;
}

bool TurnRule::needsSample() const {
  int count = static_cast<int>(turn.samples.size());
  return count == 0 || (count < options.samples && total < options.seconds);
}

void TurnRule::addSample(double seconds) {
  turn.samples.push_back(seconds);
  total += seconds;
}

void TurnRule::addBatch(const std::vector<double> &samples, double rest,
                        double busy) {
  Batch batch{0, rest, busy};
  for (double seconds : samples) {
    if (!needsSample())
      break;
    addSample(seconds);
    ++batch.samples;
  }
  turn.batches.push_back(batch);
}

bool TurnRule::needsLaunch() const {
  int count = static_cast<int>(turn.withLaunch.size());
  double each = turn.samples.empty() ? 0 : total / turn.samples.size();
  return count < options.launches &&
         (count == 0 || each * count < options.seconds);
}
