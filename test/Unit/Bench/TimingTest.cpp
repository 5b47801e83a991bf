// The stopping rule, without a clock.
#include "Timing.h"

#include <gtest/gtest.h>

using namespace attn::bench;

namespace {
int countSamples(double seconds, const TimingOptions &options) {
  Sampler sampler(options);
  int count = 0;
  for (; sampler.needsSample(); ++count)
    sampler.addSample(seconds);
  return count;
}

int countWarmups(double seconds, const TimingOptions &options) {
  Sampler sampler(options);
  int count = 0;
  for (; sampler.needsWarmup(); ++count)
    sampler.addWarmup(seconds);
  return count;
}

TEST(Timing, Median) {
  EXPECT_EQ((Timing{{3, 1, 2}}.median()), 2);
  EXPECT_EQ((Timing{{4, 1, 2, 3}}.median()), 2.5);
  EXPECT_EQ(Timing{}.median(), 0);
}

TEST(Timing, FastCallsFillTheMinimumTime) {
  TimingOptions options; // 0.1 s at least, 1000 samples at most
  EXPECT_EQ(countSamples(0.0005, options), 200);
  EXPECT_EQ(countSamples(1e-6, options), 1000);
  EXPECT_EQ(countWarmups(0.001, options), 50);
}

TEST(Timing, SlowCallsAreBoundedByTime) {
  TimingOptions options; // 1 s at most
  EXPECT_EQ(countSamples(0.25, options), 4);
  EXPECT_EQ(countSamples(5, options), 1);
  EXPECT_EQ(countSamples(0.03, options), 10);
  EXPECT_EQ(countWarmups(0.3, options), 1);
  EXPECT_EQ(countWarmups(0.03, options), 3);
}
} // namespace
