// Medians, their confidence and the stopping rules, without a clock.
#include "measure/Timing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

using namespace attn::bench;

namespace {
Timing timingOf(std::vector<double> samples) {
  Timing timing;
  timing.samples = std::move(samples);
  return timing;
}

TEST(Timing, Median) {
  EXPECT_EQ(timingOf({3, 1, 2}).median(), 2);
  EXPECT_EQ(timingOf({4, 1, 2, 3}).median(), 2.5);
  EXPECT_EQ(Timing{}.median(), 0);
}

/// The ranks of the interval for `count` samples whose values are their ranks.
Interval ranks(int count) {
  std::vector<double> samples;
  for (int i = count; i > 0; --i)
    samples.push_back(i);
  return timingOf(samples).interval();
}

TEST(Timing, IntervalsAreThoseOfTheTables) {
  // Ranks for the median at 95%, as statistics tables give them.
  struct {
    int count;
    double low, high;
  } tables[] = {{6, 1, 6},    {9, 2, 8},    {15, 4, 12},  {20, 6, 15},
                {30, 10, 21}, {50, 18, 33}, {70, 27, 44}, {100, 40, 61}};
  for (auto [count, low, high] : tables) {
    EXPECT_EQ(ranks(count).low, low) << count;
    EXPECT_EQ(ranks(count).high, high) << count;
  }
  Interval large = ranks(4000);
  EXPECT_NEAR((large.high - large.low) / 2, 0.98 * std::sqrt(4000.0), 1);
}

TEST(Timing, TheIntervalHoldsTheTrueMedian) {
  std::mt19937 random(5);
  std::lognormal_distribution<double> skewed(0, 1); // its median is 1
  int covered = 0;
  for (int trial = 0; trial < 2000; ++trial) {
    std::vector<double> samples(31);
    for (double &sample : samples)
      sample = skewed(random);
    Interval interval = timingOf(samples).interval();
    covered += interval.low <= 1 && 1 <= interval.high;
  }
  EXPECT_GE(covered, 1880);
  EXPECT_LE(covered, 1980);
}

TEST(Timing, FewSamplesSayNothingOfTheError) {
  EXPECT_EQ(timingOf({1, 1, 1, 1, 1}).relativeError(), 1);
  EXPECT_EQ(timingOf({1, 1, 1, 1, 1, 1}).relativeError(), 0);
  EXPECT_NEAR(timingOf({0.9, 1, 1, 1, 1, 1.1}).relativeError(), 0.1, 1e-12);
  EXPECT_EQ(Timing{}.relativeError(), 1);
}

// A clock that moves from turn to turn: many equal samples know no more of it.
TEST(Timing, TurnsAreWhatIsIndependent) {
  Timing timing;
  for (int turn = 1; turn <= 9; ++turn) {
    timing.samples.insert(timing.samples.end(), 32, turn);
    timing.rounds.push_back(32);
  }
  EXPECT_EQ(timing.interval().low, 2);
  EXPECT_EQ(timing.interval().high, 8);
  EXPECT_NEAR(timing.relativeError(), 0.6, 1e-12);
  timing.samples.resize(5 * 32);
  timing.rounds.resize(5);
  EXPECT_EQ(timing.interval().low, 3);
  EXPECT_EQ(timing.interval().high, 3);
}

/// Rounds of turns of `count` samples, which `next` makes.
template <typename Next>
Timing sample(const TimingOptions &options, int count, Next next) {
  Sampler sampler(options);
  while (sampler.needsTurn()) {
    Turn turn;
    for (int i = 0; i < count; ++i)
      turn.samples.push_back(next());
    sampler.add(turn);
  }
  return sampler.result();
}

TEST(Sampler, SteadyTimesTakeTheFewestRounds) {
  Timing timing = sample({}, 16, [] { return 1e-3; });
  EXPECT_EQ(timing.stop, Stop::Precise);
  EXPECT_EQ(timing.rounds, std::vector<int>({16, 16, 16}));
}

TEST(Sampler, NoisyTimesTakeMore) {
  std::mt19937 random(1);
  std::normal_distribution<double> noise(1e-4, 3e-6);
  Timing timing = sample({}, 16, [&] { return noise(random); });
  EXPECT_EQ(timing.stop, Stop::Precise);
  EXPECT_GT(timing.samples.size(), 100u);
  EXPECT_LE(timing.relativeError(), 0.005);
}

TEST(Sampler, WhatStaysNoisyMeetsALimitThatIsNamed) {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> spread(1e-6, 2e-6);
  Timing many = sample({}, 16, [&] { return spread(random); });
  EXPECT_EQ(many.stop, Stop::SampleLimit);
  EXPECT_EQ(many.samples.size(), 1008u);

  double value = 0;
  Timing slow = sample({}, 1, [&] { return value = 1.7 - value; });
  EXPECT_EQ(slow.stop, Stop::TimeLimit);
  EXPECT_EQ(slow.samples.size(), 3u);
  EXPECT_STREQ(toString(slow.stop), "time limit");
}

int countSamples(double seconds, const TurnOptions &options) {
  TurnRule rule(options);
  int count = 0;
  for (; rule.needsSample(); ++count)
    rule.addSample(seconds);
  return count;
}

int countWarmups(double seconds, const TurnOptions &options) {
  TurnRule rule(options);
  int count = 0;
  for (; rule.needsWarmup(); ++count)
    rule.addWarmup(seconds);
  return count;
}

TEST(TurnRule, ALongWarmupIsForAllButTheSlowest) {
  TurnOptions options;
  options.warmupSeconds = 0.1;
  EXPECT_EQ(countWarmups(1e-3, options), 100);
  EXPECT_EQ(countWarmups(0.03, options), 4);
  EXPECT_EQ(countWarmups(0.2, options), 1);
}

TEST(TurnRule, WarmupsInBatches) {
  TurnRule rule({});
  rule.addWarmup(1e-3);
  EXPECT_TRUE(rule.needsWarmup());
  rule.addWarmup(0.019, 19);
  EXPECT_FALSE(rule.needsWarmup());
}

int countLaunches(double seconds, const TurnOptions &options) {
  TurnRule rule(options);
  while (rule.needsSample())
    rule.addSample(seconds);
  int count = 0;
  for (; rule.needsLaunch(); ++count)
    rule.addLaunch(seconds, seconds);
  return count;
}

TEST(TurnRule, FastRuns) {
  EXPECT_EQ(countSamples(1e-5, {}), 32);
  EXPECT_EQ(countWarmups(1e-3, {}), 20);
  EXPECT_EQ(countLaunches(1e-5, {}), 4);
}

TEST(TurnRule, SlowRuns) {
  EXPECT_EQ(countSamples(0.03, {}), 4);
  EXPECT_EQ(countSamples(5, {}), 1);
  EXPECT_EQ(countWarmups(0.03, {}), 1);
  EXPECT_EQ(countWarmups(0.01, {}), 3);
  EXPECT_EQ(countWarmups(5, {}), 1);
  EXPECT_EQ(countLaunches(0.06, {}), 2);
  EXPECT_EQ(countLaunches(5, {}), 1);
}
} // namespace
