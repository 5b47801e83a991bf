// What an autotuner is given to try.
#include "attn/Analysis/ScheduleSpace.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h"

#include <algorithm>
#include <gtest/gtest.h>

using namespace mlir::attn;
using Kind = KernelShape::Kind;

namespace {

class ScheduleSpace : public testing::Test {
protected:
  ScheduleSpace() { context.loadDialect<AttnDialect>(); }

  std::vector<Schedule> of(const Schedule &chosen, const KernelShape &kernel,
                           const LaunchShape &launch) {
    std::vector<Schedule> space =
        scheduleSpace(&context, chosen, kernel, launch);
    EXPECT_FALSE(space.empty());
    EXPECT_TRUE(same(space.front(), chosen));
    for (const Schedule &one : space)
      EXPECT_TRUE(ScheduleAttr::getChecked(
          [&] { return emitError(mlir::UnknownLoc::get(&context)); }, &context,
          one.tiling, one.roles, one.pipeline));
    return space;
  }

  static bool same(const Schedule &a, const Schedule &b) {
    return a.tiling == b.tiling && a.roles == b.roles &&
           a.pipeline == b.pipeline;
  }

  /// Where it stands; the size of the space if it is not there.
  static size_t placeOf(const std::vector<Schedule> &space,
                        const Schedule &schedule) {
    return std::find_if(
               space.begin(), space.end(),
               [&](const Schedule &one) { return same(one, schedule); }) -
           space.begin();
  }

  mlir::MLIRContext context;
};

KernelShape forward(int64_t channels) {
  return {Kind::Forward, /*elementBytes=*/2, channels, channels};
}

/// As attn-select-schedule has it for 128 channels and sm_90a.
Schedule twoGroups() {
  Schedule schedule;
  schedule.tiling.q = schedule.tiling.kv = 128;
  schedule.roles.warps = 8, schedule.roles.producers = 4;
  schedule.roles.pingpong = true;
  schedule.pipeline.stages = schedule.pipeline.taskStages = 2;
  schedule.pipeline.persistent = schedule.pipeline.drain = true;
  return schedule;
}

LaunchShape h200(int64_t tasks, int64_t queries, int64_t keys) {
  return {tasks, queries, keys, /*multiprocessors=*/132};
}

Schedule hostSchedule() {
  Schedule schedule;
  schedule.tiling.q = schedule.tiling.kv = 64;
  return schedule;
}

} // namespace

/// At 96 channels, 64 tasks of 4096 x 4096, three groups are 4% faster than
/// what is chosen (issue 18): a search meets them early.
TEST_F(ScheduleSpace, HasThreeGroupsFor96Channels) {
  std::vector<Schedule> space =
      of(twoGroups(), forward(96), h200(64, 4096, 4096));
  Schedule faster = twoGroups();
  faster.tiling.q = 192, faster.tiling.kv = 96;
  faster.roles.warps = 12, faster.roles.pingpong = false;
  EXPECT_LT(placeOf(space, faster), 16u);
}

TEST_F(ScheduleSpace, HasRoomForAll) {
  for (int64_t channels : {64, 128, 192, 256})
    for (const Schedule &one :
         of(twoGroups(), forward(channels), h200(64, 4096, 4096))) {
      if (same(one, twoGroups()))
        continue; // that it fits was for somebody else to say
      EXPECT_TRUE(costOf(one, forward(channels)).fitsSharedMemory());
      EXPECT_TRUE(costOf(one, forward(channels)).fitsRegisters());
    }
}

TEST_F(ScheduleSpace, IsInOrderOfWhatDiffers) {
  std::vector<Schedule> space = of(hostSchedule(), forward(64), {64, 512, 512});
  Schedule near = hostSchedule(), far = hostSchedule();
  near.tiling.kv = 96;
  far.tiling.q = 16, far.tiling.kv = 256;
  EXPECT_LE(placeOf(space, near), 4u);
  EXPECT_EQ(placeOf(space, far), space.size() - 1);
  EXPECT_EQ(space.size(), 6u * 7u);
}

/// Three query heads that share keys have as many rows of each position.
TEST_F(ScheduleSpace, SuitsTheLengths) {
  LaunchShape launch{8, 8, 40};
  for (const Schedule &one : of(hostSchedule(), forward(64), launch))
    if (!same(one, hostSchedule())) {
      EXPECT_EQ(one.tiling.q, 16);
      EXPECT_LE(one.tiling.kv, 80);
    }
  Schedule packed = hostSchedule();
  packed.tiling.q = 16, packed.tiling.pack = packed.tiling.shares = true;
  launch.sharedHeads = 2;
  std::vector<Schedule> space = of(packed, forward(64), launch);
  for (const Schedule &one : space) {
    EXPECT_LE(one.tiling.q, 32);
    EXPECT_TRUE(one.tiling.pack && one.tiling.shares);
  }
  packed.tiling.q = 32;
  EXPECT_LT(placeOf(space, packed), space.size());
}

/// 132 tasks of 128 rows are one round; of 192 rows they are 88, which leaves a
/// third idle.
TEST_F(ScheduleSpace, LeavesNoneIdle) {
  for (const Schedule &one : of(twoGroups(), forward(64), h200(132, 128, 4096)))
    EXPECT_NE(one.roles.warps, 12);
  bool has = false;
  for (const Schedule &one : of(twoGroups(), forward(64), h200(64, 4096, 4096)))
    has |= one.roles.warps == 12;
  EXPECT_TRUE(has);
}

/// Nothing makes a kernel of other launches, or of another GPU.
TEST_F(ScheduleSpace, KeepsWhatDecidesTheLaunches) {
  Schedule everywhere;
  everywhere.tiling.q = 128, everywhere.tiling.kv = 64;
  everywhere.roles.warps = 4;
  everywhere.pipeline.unaligned = true;
  std::vector<Schedule> space =
      of(everywhere, forward(64), h200(64, 4096, 4096));
  EXPECT_GT(space.size(), 10u);
  for (const Schedule &one : space) {
    EXPECT_TRUE(one.pipeline.unaligned);
    EXPECT_FALSE(one.roles.hasProducers());
    EXPECT_FALSE(one.tiling.pack);
  }
  for (const Schedule &one : of(twoGroups(), forward(64), h200(64, 4096, 4096)))
    EXPECT_TRUE(one.roles.hasProducers() && one.pipeline.drain);
}

//===--- gradients --------------------------------------------------------===//

namespace {
/// As attn-select-schedule has them for 64 channels and sm_90a.
Schedule gradients(bool ownsKeys, bool once) {
  Schedule schedule;
  schedule.tiling.ownsKeys = ownsKeys, schedule.tiling.once = once;
  schedule.tiling.q = schedule.tiling.kv = 128;
  schedule.roles.warps = 8, schedule.roles.producers = 4;
  schedule.pipeline.stages = 2, schedule.pipeline.persistent = true;
  return schedule;
}
} // namespace

/// Tasks of keys have as many keys as warps have rows.
TEST_F(ScheduleSpace, OwnsWhatIsChosen) {
  for (bool ownsKeys : {false, true}) {
    Kind kind = ownsKeys ? Kind::GradKeyAndValue : Kind::GradQuery;
    std::vector<Schedule> space =
        of(gradients(ownsKeys, false), {kind, 2, 64, 64}, h200(64, 4096, 4096));
    EXPECT_GT(space.size(), 20u);
    for (const Schedule &one : space) {
      EXPECT_EQ(one.tiling.ownsKeys, ownsKeys);
      EXPECT_EQ(one.tiling.getRows(), 16 * one.roles.warps);
      EXPECT_TRUE(one.pipeline.persistent && !one.pipeline.drain);
    }
  }
}

/// 64 x 128 and 128 x 128 as well as 64 x 64: what a product of two groups, or
/// of one, takes.
TEST_F(ScheduleSpace, HasWhatOnePassTakes) {
  KernelShape kernel{Kind::GradAll, 2, 64, 64};
  Schedule smaller = gradients(true, true);
  smaller.tiling.q = 64;
  std::vector<Schedule> space =
      of(gradients(true, true), kernel, h200(64, 4096, 4096));
  EXPECT_LT(placeOf(space, smaller), 4u);
  for (const Schedule &one : space) {
    EXPECT_TRUE(one.tiling.once);
    EXPECT_EQ(one.tiling.q % 64, 0);
    EXPECT_LE(one.tiling.q, one.tiling.kv);
  }
}

/// 132 tasks of 128 keys each, or 88 of 192: of queries there are few.
TEST_F(ScheduleSpace, CountsTasksOfKeys) {
  KernelShape kernel{Kind::GradKeyAndValue, 2, 64, 64};
  for (const Schedule &one :
       of(gradients(true, false), kernel, h200(132, 4096, 128)))
    EXPECT_NE(one.roles.warps, 12);
  // On a CPU no kernel has tiles more than twice as long as there are keys.
  Schedule host = hostSchedule();
  host.tiling.ownsKeys = true;
  for (const Schedule &one : of(host, kernel, {64, 4096, 24}))
    EXPECT_TRUE(same(one, host) || one.tiling.kv <= 48);
}
