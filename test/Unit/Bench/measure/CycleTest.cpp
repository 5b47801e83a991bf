// How much of the time backends work.
#include "measure/Cycle.h"

#include <gtest/gtest.h>

using namespace attn::bench;

namespace {
constexpr double us = 1e-6;

TEST(Cycle, ABatchIsAsLongAsItMayBe) {
  TurnOptions options;
  EXPECT_EQ(batchSize(10 * us, options), 32);
  EXPECT_EQ(batchSize(2e-3, options), 25);
  EXPECT_EQ(batchSize(1, options), 1);
  EXPECT_EQ(batchSize(0, options), 1);
  options.samples = 5;
  EXPECT_EQ(batchSize(10 * us, options), 5);
  EXPECT_EQ(batchSize(0.02, options), 2);
}

TEST(Cycle, RestAndWorkMakeTheDuty) {
  EXPECT_EQ(restFor(0.03, 1), 0);
  EXPECT_NEAR(restFor(0.03, 0.75), 0.01, 1e-12);
  EXPECT_EQ(restFor(0.03, 0), 0);
}

TEST(Cycle, LongRunsKeepTheGPUBusyWhateverTheHost) {
  // As the tool and as the worker enqueue them.
  Pace tool = {900 * us, 10 * us, 100 * us},
       worker = {900 * us, 90 * us, 300 * us};
  EXPECT_EQ(dutyFor({tool}, {}), kMostDuty);
  EXPECT_EQ(dutyFor({tool, worker}, {}), kMostDuty);
  // Many kernels in a run keep the host as long as the GPU.
  EXPECT_NEAR(dutyFor({{0.2, 0.2, 200 * us}}, {}), kMostDuty, 0.004);
}

TEST(Cycle, TheSlowestHostDecidesForAll) {
  Pace fast = {100 * us, 10 * us, 50 * us}, slow = {80 * us, 240 * us, 0};
  double alone = dutyFor({fast}, {}), both = dutyFor({fast, slow}, {});
  EXPECT_GT(alone, 0.95);
  EXPECT_EQ(both, dutyFor({slow}, {}));
  EXPECT_EQ(both, dutyFor({slow, fast}, {}));
  // All of a batch's lead must fit into the rest before it.
  double busy = 32 * 80 * us, lead = 240 * us + 32 * 160 * us;
  EXPECT_GE(restFor(busy, both), lead);
  EXPECT_LE(restFor(busy, both), 2 * lead);
}

TEST(Cycle, NobodyKeepsTheMost) { EXPECT_EQ(dutyFor({}, {}), kMostDuty); }
} // namespace
