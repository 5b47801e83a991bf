// The line of progress.
#include "run/Progress.h"

#include <gtest/gtest.h>

using namespace attn::bench;

namespace {
TEST(Progress, TheEstimateLearns) {
  // Half of the work took twice as long as expected: so will the rest.
  EXPECT_NEAR(Progress::paceOf(2000, 1000), 2, 0.01);
  EXPECT_EQ(Progress::paceOf(0, 0), 1);
  EXPECT_EQ(Progress::secondsLeft(2, 10, 0, 100), 220);
  // What the current case has spent is gone; it never owes the others any.
  EXPECT_EQ(Progress::secondsLeft(2, 10, 15, 100), 205);
  EXPECT_EQ(Progress::secondsLeft(2, 10, 50, 100), 200);
  EXPECT_EQ(formatDuration(59.6), "60 s");
  EXPECT_EQ(formatDuration(600), "10 min");
  EXPECT_EQ(formatDuration(3600 * 3 + 300), "3 h 05 min");
}
} // namespace
