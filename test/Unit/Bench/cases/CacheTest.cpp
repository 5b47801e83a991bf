// Lengths and pages that a seed draws.
#include "cases/Cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

using namespace attn::bench;

namespace {
const KeyLengths uniform{KeyLengths::Range{5, 40}};

TEST(Cache, LengthsAreDrawnFromTheRange) {
  std::vector<int32_t> lengths = drawLengths(uniform, 1000, 64, 1);
  EXPECT_EQ(*std::min_element(lengths.begin(), lengths.end()), 5);
  EXPECT_EQ(*std::max_element(lengths.begin(), lengths.end()), 40);
  EXPECT_EQ(drawLengths(KeyLengths(), 2, 64, 1),
            (std::vector<int32_t>{64, 64}));
}

TEST(Cache, ASeedDrawsTheSameAgain) {
  std::vector<int32_t> lengths = drawLengths(uniform, 8, 64, 1);
  EXPECT_EQ(drawLengths(uniform, 8, 64, 1), lengths);
  EXPECT_NE(drawLengths(uniform, 8, 64, 2), lengths);
  // The same on every machine.
  EXPECT_EQ(drawLengths(uniform, 4, 64, 1),
            (std::vector<int32_t>{37, 11, 23, 23}));
}

TEST(Cache, EverySequenceHasPagesOfItsOwn) {
  std::vector<int32_t> lengths = {0, 1, 16, 17, 64};
  PageTable table = drawPages(lengths, 70, 16, 7);
  EXPECT_EQ(table.columns, 5);
  EXPECT_EQ(table.pages, 0 + 1 + 1 + 2 + 4 + 1);
  ASSERT_EQ(table.ids.size(), 25u);
  std::set<int32_t> used;
  for (int64_t b = 0; b < 5; ++b)
    for (int64_t page = 0; page < 5; ++page) {
      int32_t id = table.ids[b * 5 + page];
      EXPECT_GE(id, 0);
      EXPECT_LT(id, table.pages);
      if (page * 16 < lengths[b])
        EXPECT_TRUE(used.insert(id).second) << b << " " << page;
    }
  // Behind them the page that is left.
  EXPECT_EQ(used.size(), 8u);
  for (int64_t page = 0; page < 5; ++page)
    EXPECT_EQ(used.count(table.ids[page]), 0u);
  EXPECT_EQ(drawPages(lengths, 70, 16, 7).ids, table.ids);
  EXPECT_NE(drawPages(lengths, 70, 16, 8).ids, table.ids);
}
} // namespace
