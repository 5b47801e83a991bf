// What a schedule costs, where one can count it by hand. That the bytes are
// those of every kernel is test/Analysis/schedule-costs.test's to show.
#include "attn/Analysis/ScheduleCost.h"

#include <gtest/gtest.h>

using namespace mlir::attn;
using Kind = KernelShape::Kind;

namespace {

/// Two groups of 64 rows, and the warps that copy for them.
Schedule withRoles() {
  Schedule schedule;
  schedule.tiling.q = schedule.tiling.kv = 128;
  schedule.roles.warps = 8;
  schedule.roles.producers = 4;
  schedule.pipeline.stages = 2;
  return schedule;
}

KernelShape shapeOf(Kind kind, int64_t channels) {
  return {kind, /*elementBytes=*/2, channels, channels};
}

constexpr int64_t KiB = 1024;

} // namespace

TEST(ScheduleCost, ThreadsAreThoseOfAllWarps) {
  EXPECT_EQ(costOf(withRoles(), shapeOf(Kind::Forward, 64)).threads, 384);
  EXPECT_EQ(Schedule().roles.getThreads(), 32);
}

// Barriers and alignment take 2 KiB; a tile of 128 x 128 takes 32 KiB.
TEST(ScheduleCost, RingsHaveStages) {
  Schedule schedule = withRoles();
  auto bytes = [&] {
    return costOf(schedule, shapeOf(Kind::Forward, 128)).sharedBytes;
  };
  EXPECT_EQ(bytes(), (2 + 5 * 32) * KiB);
  schedule.pipeline.persistent = true;
  schedule.pipeline.taskStages = 2;
  EXPECT_EQ(bytes(), (2 + 6 * 32) * KiB);
  schedule.pipeline.eager = true; // a third tile of values
  EXPECT_EQ(bytes(), (2 + 7 * 32) * KiB);
  EXPECT_TRUE(costOf(schedule, shapeOf(Kind::Forward, 128)).fitsSharedMemory());
  schedule.pipeline.stages = 3;
  EXPECT_FALSE(
      costOf(schedule, shapeOf(Kind::Forward, 128)).fitsSharedMemory());
}

// The swizzle has chunks of 64 columns.
TEST(ScheduleCost, RingsHaveWholeChunks) {
  EXPECT_EQ(costOf(withRoles(), shapeOf(Kind::Forward, 65)).sharedBytes,
            costOf(withRoles(), shapeOf(Kind::Forward, 128)).sharedBytes);
  EXPECT_LT(costOf(withRoles(), shapeOf(Kind::Forward, 64)).sharedBytes,
            costOf(withRoles(), shapeOf(Kind::Forward, 65)).sharedBytes);
}

// Without roles rows have 16 bytes more.
TEST(ScheduleCost, BuffersArePadded) {
  Schedule schedule;
  schedule.tiling.q = 64, schedule.tiling.kv = 32;
  schedule.roles.warps = 4;
  KernelShape kernel = shapeOf(Kind::Forward, 64);
  EXPECT_EQ(costOf(schedule, kernel).sharedBytes,
            (64 + 32 + 32) * (64 * 2 + 16));
  kernel.elementBytes = 4;
  EXPECT_EQ(costOf(schedule, kernel).sharedBytes,
            (64 + 32 + 32) * (64 * 4 + 16));
}

// Kernels of gradients own two tiles and visit two, and statistics of queries.
TEST(ScheduleCost, GradientsHaveMoreTiles) {
  Schedule schedule = withRoles();
  auto bytes = [&](Kind kind) {
    return costOf(schedule, shapeOf(kind, 64)).sharedBytes;
  };
  EXPECT_EQ(bytes(Kind::GradQuery), (2 + 2 * 16 + 4 * 16) * KiB);
  schedule.tiling.ownsKeys = true;
  EXPECT_EQ(bytes(Kind::GradKeyAndValue),
            (2 + 2 * 16 + 4 * 16) * KiB + 4 * 4 * 128);
  EXPECT_EQ(bytes(Kind::GradValue), (2 + 16 + 4 * 16) * KiB + 2 * 4 * 128);
  // Two shared operands of 32 KiB, and sums of 32 KiB.
  EXPECT_EQ(bytes(Kind::GradAll),
            bytes(Kind::GradKeyAndValue) + (2 * 32 + 32) * KiB);
}

TEST(ScheduleCost, RowsHoldNoTiles) {
  ScheduleCost cost = costOf(withRoles(), shapeOf(Kind::GradRows, 64));
  EXPECT_EQ(cost.sharedBytes, 0);
}

// Producers give up registers; one group has what a thread can have.
TEST(ScheduleCost, RolesShareRegisters) {
  Schedule schedule = withRoles();
  auto limit = [&] {
    return costOf(schedule, shapeOf(Kind::Forward, 64)).registerLimit;
  };
  EXPECT_EQ(limit(), 232);
  schedule.tiling.q = 192, schedule.roles.warps = 12;
  EXPECT_EQ(limit(), 160);
  schedule.tiling.q = 64, schedule.roles.warps = 4;
  EXPECT_EQ(limit(), 255);
  schedule.roles.minBlocks = 2;
  EXPECT_EQ(limit(), 216);
}

// Wider tiles take more, until they do not fit.
TEST(ScheduleCost, RegistersGrowWithTiles) {
  Schedule schedule = withRoles();
  int64_t before = 0;
  for (int64_t kv : {64, 128, 192, 256}) {
    schedule.tiling.kv = kv;
    int64_t registers = costOf(schedule, shapeOf(Kind::Forward, 128)).registers;
    EXPECT_GT(registers, before) << kv;
    before = registers;
  }
  EXPECT_FALSE(costOf(schedule, shapeOf(Kind::Forward, 128)).fitsRegisters());
  schedule.tiling.kv = 128;
  EXPECT_TRUE(costOf(schedule, shapeOf(Kind::Forward, 128)).fitsRegisters());
}
