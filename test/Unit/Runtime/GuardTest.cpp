// When a launch takes which kernel.
#include "attn/Runtime/Guard.h"

#include <gtest/gtest.h>

using namespace attn;

namespace {

LaunchSizes sizes(int64_t heads, int64_t queries, int64_t keys) {
  return {/*batch=*/2, heads, queries, keys, /*multiprocessors=*/132};
}

TEST(Guard, CountsTasksAndTheBusiestMultiprocessor) {
  EXPECT_EQ(sizes(3, 65, 0).tasks(64), 12);
  EXPECT_EQ(sizes(3, 64, 0).tasks(64), 6);
  EXPECT_EQ(sizes(66, 64, 0).busiestRows(64), 64);
  EXPECT_EQ(sizes(66, 65, 0).busiestRows(64), 128);
}

TEST(Guard, OfFewTasks) {
  Guard few{Guard::Kind::FewTasks, {64}};
  EXPECT_TRUE(few.holds(sizes(66, 64, 5000)));
  EXPECT_FALSE(few.holds(sizes(66, 65, 5000)));
}

TEST(Guard, OfFewRounds) {
  Guard few{Guard::Kind::FewRounds, {128, 192, 125}};
  EXPECT_FALSE(few.holds({1, 133, 192, 1, 132})); // 384 rows against 384
  EXPECT_TRUE(few.holds({1, 133, 128, 1, 132}));  // 256 rows against 384
  EXPECT_FALSE(few.holds({1, 132, 192, 1, 132})); // 256 against 192
}

TEST(Guard, OfShortRows) {
  Guard rows{Guard::Kind::ShortRows, {1024}};
  EXPECT_TRUE(rows.holds(sizes(1, 1, 1024)));
  EXPECT_FALSE(rows.holds(sizes(1, 1, 1025)));
  EXPECT_TRUE(Guard().holds(sizes(1, 1, 1025)));
}

TEST(Guard, HasANameAndSoManyNumbers) {
  EXPECT_STREQ(toString(Guard::Kind::ShortRows), "short_rows");
  EXPECT_EQ(guardNamed("few_rounds"), Guard::Kind::FewRounds);
  EXPECT_EQ(guardNamed("few"), std::nullopt);
  EXPECT_EQ(numberCount(Guard::Kind::FewRounds), 3u);
  EXPECT_EQ(numberCount(Guard::Kind::Always), 0u);
}

} // namespace
