// When a launch takes which kernel.
#include "attn/Runtime/Guard.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

using namespace attn;

namespace {

using Kind = Condition::Kind;

LaunchSizes sizes(int64_t heads, int64_t queries, int64_t keys) {
  return {/*batch=*/2, heads, queries, keys, /*multiprocessors=*/132};
}

bool holds(const Guard &guard, const LaunchSizes &sizes,
           const LaunchMemory &memory = {}) {
  return guard.holds({sizes, memory});
}

TEST(Guard, CountsTasksAndTheBusiestMultiprocessor) {
  EXPECT_EQ(sizes(3, 65, 0).tasks(64), 12);
  EXPECT_EQ(sizes(3, 64, 0).tasks(64), 6);
  EXPECT_EQ(sizes(66, 64, 0).busiestRows(64), 64);
  EXPECT_EQ(sizes(66, 65, 0).busiestRows(64), 128);
  EXPECT_EQ(sizes(INT64_MAX / 2, 65, 0).tasks(64), INT64_MAX);
}

TEST(Guard, OfFewTasks) {
  Guard few{{{Kind::FewTasks, {64}}}};
  EXPECT_TRUE(holds(few, sizes(66, 64, 5000)));
  EXPECT_FALSE(holds(few, sizes(66, 65, 5000)));
}

TEST(Guard, OfFewRounds) {
  Guard few{{{Kind::FewRounds, {128, 192, 125}}}};
  EXPECT_FALSE(holds(few, {1, 133, 192, 1, 132})); // 384 rows against 384
  EXPECT_TRUE(holds(few, {1, 133, 128, 1, 132}));  // 256 rows against 384
  EXPECT_FALSE(holds(few, {1, 132, 192, 1, 132})); // 256 against 192
}

TEST(Guard, OfShortRows) {
  Guard rows{{{Kind::ShortRows, {1024}}}};
  EXPECT_TRUE(holds(rows, sizes(1, 1, 1024)));
  EXPECT_FALSE(holds(rows, sizes(1, 1, 1025)));
  EXPECT_TRUE(holds(Guard(), sizes(1, 1, 1025)));
}

TEST(Guard, OfPackedRows) {
  Guard rows{{{Kind::PackedRows, {16}}}};
  LaunchSizes at = sizes(8, 4, 5000);
  EXPECT_EQ(at.packedRows(), 32);
  EXPECT_FALSE(holds(rows, at));
  at.keyHeads = 2;
  EXPECT_TRUE(holds(rows, at));
  at.queries = 5;
  EXPECT_FALSE(holds(rows, at));
}

TEST(Guard, OfAFullRound) {
  Guard full{{{Kind::FullRound, {64, 75}}}};
  LaunchSizes at{8, 16, 1, 8192, 132, 16};
  EXPECT_TRUE(holds(full, at)); // 128 tasks
  at.batch = 6;
  EXPECT_FALSE(holds(full, at)); // 96
  at.batch = 9;
  EXPECT_FALSE(holds(full, at)); // 144
  at.batch = 8, at.keyHeads = 8;
  EXPECT_FALSE(holds(full, at));
}

TEST(Guard, OfMemory) {
  LaunchMemory memory{/*aligned=*/true, /*sm90a=*/false,
                      /*unitCaptures=*/false};
  EXPECT_TRUE(holds({{{Kind::Aligned}}}, {}, memory));
  EXPECT_FALSE(holds({{{Kind::SM90a}}}, {}, memory));
  EXPECT_FALSE(holds({{{Kind::UnitCaptures}}}, {}, memory));
  EXPECT_FALSE(holds({{{Kind::Aligned}}}, {}, {/*aligned=*/false}));
  memory.sm90a = memory.unitCaptures = true;
  EXPECT_TRUE(holds({{{Kind::SM90a}, {Kind::UnitCaptures}}}, {}, memory));
}

TEST(Guard, HoldsWhereAllConditionsDo) {
  Guard both{{{Kind::ShortRows, {64}}, {Kind::Aligned}}};
  EXPECT_TRUE(holds(both, sizes(1, 1, 64)));
  EXPECT_FALSE(holds(both, sizes(1, 1, 65)));
  EXPECT_FALSE(holds(both, sizes(1, 1, 64), {/*aligned=*/false}));
}

TEST(Guard, ConditionsHaveANameAndSoManyNumbers) {
  EXPECT_STREQ(toString(Kind::ShortRows), "short_rows");
  EXPECT_STREQ(toString(Kind::UnitCaptures), "unit_captures");
  EXPECT_EQ(conditionNamed("few_rounds"), Kind::FewRounds);
  EXPECT_EQ(conditionNamed("sm90a"), Kind::SM90a);
  EXPECT_EQ(conditionNamed("few"), std::nullopt);
  EXPECT_EQ(numberCount(Kind::FewRounds), 3u);
  EXPECT_EQ(numberCount(Kind::Aligned), 0u);
}

//===--- ranges -----------------------------------------------------------===//

/// Guards and ranges so small that all of their launches can be tried.
class Random {
public:
  int64_t number(int64_t from, int64_t to) {
    return std::uniform_int_distribution<int64_t>(from, to)(generator);
  }

  Condition condition() {
    switch (number(0, 7)) {
    case 0:
      return {Kind::FewTasks, {number(1, 9)}};
    case 1:
      return {Kind::FewRounds, {number(1, 6), number(1, 9), number(60, 250)}};
    case 2:
      return {Kind::ShortRows, {number(1, 8)}};
    case 3:
      return {Kind::Aligned};
    case 4:
      return {Kind::PackedRows, {number(1, 20)}};
    case 5:
      return {Kind::SM90a};
    case 6:
      return {Kind::FullRound, {number(1, 9), number(10, 100)}};
    default:
      return {Kind::UnitCaptures};
    }
  }

  Guard guard() {
    Guard guard;
    for (int64_t i = number(0, 2); i > 0; --i)
      guard.conditions.push_back(condition());
    return guard;
  }

  LaunchRange range() {
    LaunchRange range;
    auto between = [&](int64_t LaunchSizes::*size, int64_t most) {
      range.smallest.*size = number(0, most);
      range.largest.*size = number(range.smallest.*size, most);
    };
    between(&LaunchSizes::batch, 2);
    between(&LaunchSizes::heads, 3);
    between(&LaunchSizes::queries, 12);
    between(&LaunchSizes::keys, 9);
    range.smallest.keyHeads = number(1, 3);
    range.largest.keyHeads = number(range.smallest.keyHeads, 3);
    range.smallest.multiprocessors = range.largest.multiprocessors =
        number(1, 5);
    for (bool *fact : {&range.memory.aligned, &range.memory.sm90a,
                       &range.memory.unitCaptures})
      *fact = number(0, 3) != 0;
    return range;
  }

private:
  std::mt19937 generator{7};
};

std::vector<Launch> launchesOf(const LaunchRange &range) {
  std::vector<Launch> all;
  Launch launch{range.smallest, range.memory};
  LaunchSizes &at = launch.sizes;
  const LaunchSizes &from = range.smallest, &to = range.largest;
  for (at.batch = from.batch; at.batch <= to.batch; ++at.batch)
    for (at.heads = from.heads; at.heads <= to.heads; ++at.heads)
      for (at.keyHeads = from.keyHeads; at.keyHeads <= to.keyHeads;
           ++at.keyHeads)
        for (at.queries = from.queries; at.queries <= to.queries; ++at.queries)
          for (at.keys = from.keys; at.keys <= to.keys; ++at.keys)
            all.push_back(launch);
  return all;
}

/// What is said of a range is so for each of its launches; and all is said that
/// conditions allow which only grow or shrink with sizes.
TEST(Guard, OverARangeIsWhatTryingAllSizesFinds) {
  Random random;
  int found[3] = {};
  for (int i = 0; i < 4000; ++i) {
    Guard guard = random.guard();
    LaunchRange range = random.range();
    std::vector<Launch> launches = launchesOf(range);
    size_t held = 0;
    for (const Launch &launch : launches)
      held += guard.holds(launch);
    Holds over = guard.over(range);
    ++found[static_cast<int>(over)];
    if (over == Holds::Never) {
      EXPECT_EQ(held, 0u) << i;
    } else if (over == Holds::Always) {
      EXPECT_EQ(held, launches.size()) << i;
    } else if (guard.conditions.size() == 1 && !guard.has(Kind::FewRounds) &&
               !guard.has(Kind::FullRound)) { // each of several conditions
      EXPECT_GT(held, 0u) << i;
      EXPECT_LT(held, launches.size()) << i;
    }
    if (launches.size() == 1) {
      EXPECT_NE(over, Holds::Sometimes) << i;
    }
  }
  for (int count : found)
    EXPECT_GT(count, 300);
}

TEST(Guard, IsText) {
  EXPECT_EQ(toString(Guard()), "always");
  EXPECT_EQ(toString(Guard{{{Kind::SM90a}}}), "sm90a");
  EXPECT_EQ(toString(Guard{{{Kind::FewRounds, {128, 192, 125}},
                            {Kind::Aligned},
                            {Kind::ShortRows, {7}}}}),
            "few_rounds(128, 192, 125) and aligned and short_rows(7)");
}

/// No launch of a range takes a kernel that was not prepared for it, and each
/// of its kernels is one that guards leave open.
TEST(LaunchPlan, OfARangeHasTheKernelOfEachLaunch) {
  Random random;
  size_t spared = 0;
  for (int i = 0; i < 2000; ++i) {
    LaunchPlan plan;
    for (int64_t k = random.number(0, 4); k > 0; --k)
      plan.push_back(random.guard());
    plan.emplace_back();
    LaunchRange range = random.range();
    std::vector<size_t> places = kernelsFor(plan, range);
    spared += plan.size() - places.size();
    for (const Launch &launch : launchesOf(range)) {
      size_t place = kernelFor(plan, launch);
      EXPECT_TRUE(plan[place].holds(launch)) << i;
      for (size_t before = 0; before < place; ++before)
        EXPECT_FALSE(plan[before].holds(launch)) << i;
      EXPECT_NE(std::find(places.begin(), places.end(), place), places.end())
          << i;
    }
  }
  EXPECT_GT(spared, 1000u);
}

TEST(LaunchPlan, OfAnySizesEndsWithTheKernelThatDoesNotAskForThem) {
  LaunchPlan plan{{{{Kind::SM90a}, {Kind::FewTasks, {64}}}},
                  {{{Kind::SM90a}, {Kind::FewRounds, {128, 192, 125}}}},
                  {{{Kind::SM90a}}},
                  {{{Kind::Aligned}}},
                  {}};
  auto placesOn = [&](const LaunchMemory &memory) {
    return kernelsFor(plan, LaunchRange::ofAnySizes(132, memory));
  };
  using Places = std::vector<size_t>;
  EXPECT_EQ(placesOn({/*aligned=*/true, /*sm90a=*/true}), Places({0, 1, 2}));
  EXPECT_EQ(placesOn({/*aligned=*/true}), Places({3}));
  EXPECT_EQ(placesOn({/*aligned=*/false}), Places({4}));
}

/// Whatever sizes are, what asks for more memory than another for the same ones
/// is taken before it, where there is such memory.
TEST(LaunchPlan, HasOneKernelOfTwoForTheSameSizes) {
  LaunchPlan plan{{{{Kind::SM90a}, {Kind::PackedRows, {16}}}},
                  {{{Kind::Aligned}, {Kind::PackedRows, {16}}}},
                  {{{Kind::Aligned}, {Kind::PackedRows, {32}}}},
                  {{{Kind::PackedRows, {32}}, {Kind::ShortRows, {1024}}}},
                  {}};
  auto placesOn = [&](const LaunchMemory &memory) {
    return kernelsFor(plan, LaunchRange::ofAnySizes(132, memory));
  };
  using Places = std::vector<size_t>;
  EXPECT_EQ(placesOn({/*aligned=*/true, /*sm90a=*/true}), Places({0, 2, 4}));
  EXPECT_EQ(placesOn({/*aligned=*/true}), Places({1, 2, 4}));
  EXPECT_EQ(placesOn({/*aligned=*/false}), Places({3, 4}));
}

/// 8 heads of up to 4096 positions, and of 4096 alone.
TEST(LaunchPlan, OfSmallRangesHasFewKernels) {
  LaunchPlan plan{{{{Kind::FewTasks, {64}}}},
                  {{{Kind::FewRounds, {128, 192, 125}}}},
                  {{{Kind::ShortRows, {1024}}}},
                  {}};
  LaunchSizes smallest{1, 8, 1, 1, 132}, largest{1, 8, 4096, 4096, 132};
  using Places = std::vector<size_t>;
  EXPECT_EQ(kernelsFor(plan, {smallest, largest, {}}), Places({0, 1, 2, 3}));
  EXPECT_EQ(kernelsFor(plan, {largest, largest, {}}), Places({1}));
  largest.queries = largest.keys = 512;
  EXPECT_EQ(kernelsFor(plan, {smallest, largest, {}}), Places({0}));
}

} // namespace
