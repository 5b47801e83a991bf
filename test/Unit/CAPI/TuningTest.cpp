// Searches for faster schedules through the C interface. Who wins is for the
// tests of what is below.
#include "Fixtures.h"

#include <limits>

namespace {
struct Found {
  Owned<attn_tuning> handle{nullptr, attn_tuning_release};
  std::string schedule() const { return attn_tuning_schedule(handle.get()); }
};

Found found(attn_tuning *tuning) {
  Found one;
  one.handle.reset(tuning);
  return one;
}
} // namespace

TEST(Tuning, OfAForwardPassGivesASchedule) {
  Operands o(1, 2, 200);
  attn_spec spec = cpuSpec();
  Owned<attn_mod> mod = modOf(causalMod);
  attn_tuning *tuning = nullptr;
  ASSERT_OK(attn_kernel_tune(mod.get(), &spec, &o.arguments, 0.5, &tuning));
  Found result = found(tuning);
  EXPECT_GT(attn_tuning_candidates(tuning), 0);
  EXPECT_GT(attn_tuning_tried(tuning), 0);
  EXPECT_LE(attn_tuning_tried(tuning), attn_tuning_candidates(tuning));
  EXPECT_EQ(attn_tuning_gain(tuning) == 1, result.schedule().empty());
  EXPECT_FALSE(attn_tuning_is_from_cache(tuning)); // there is none here
  std::string schedule = result.schedule();
  spec.schedule = schedule.c_str();
  attn_kernel *kernel = nullptr;
  ASSERT_OK(attn_kernel_compile(mod.get(), &spec, &kernel));
  EXPECT_OK(attn_kernel_run(kernel, &o.arguments));
  attn_kernel_release(kernel);
}

TEST(Tuning, OfGradientsGivesAListOfSchedules) {
  const float table[] = {1, -2}, factor = 0.25f;
  std::vector<int64_t> two{2};
  Backward b(biasMod, 2, 100,
             {captureOf(table, ATTN_F32, two), captureOf(&factor, ATTN_F32)});
  float ofTable[2], *gradients[] = {ofTable};
  b.back.grad_captures = gradients, b.back.grad_capture_count = 1;
  const char *wrt[] = {"table"};
  attn_spec spec = cpuSpec();
  Owned<attn_mod> mod = modOf(biasMod);
  attn_tuning *tuning = nullptr;
  ASSERT_OK(attn_gradient_tune(mod.get(), &spec, wrt, 1, &b.back, 2, &tuning));
  Found result = found(tuning);
  EXPECT_GT(attn_tuning_tried(tuning), 0);
  std::string schedule = result.schedule();
  EXPECT_TRUE(schedule.empty() || schedule.rfind("[#attn.schedule", 0) == 0);
  spec.schedule = schedule.c_str();
  attn_gradient *gradient = nullptr;
  ASSERT_OK(attn_gradient_compile(mod.get(), &spec, wrt, 1, &gradient));
  EXPECT_OK(attn_gradient_run(gradient, &b.back));
  attn_gradient_release(gradient);
}

TEST(Tuning, Errors) {
  Operands o(1, 2, 20);
  attn_spec spec = cpuSpec();
  Owned<attn_mod> mod = modOf(plainMod);
  attn_tuning *tuning = nullptr;
  auto tune = [&](double seconds) {
    return attn_kernel_tune(mod.get(), &spec, &o.arguments, seconds, &tuning);
  };
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects 'seconds' of 0 or more, got -1",
               tune(-1));
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects 'seconds' of 0 or more",
               tune(std::numeric_limits<double>::quiet_NaN()));
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects 'seconds' of 0 or more",
               tune(std::numeric_limits<double>::infinity()));
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects 'tuning', got NULL",
               attn_kernel_tune(mod.get(), &spec, &o.arguments, 1, nullptr));
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects 'mod', got NULL",
               attn_kernel_tune(nullptr, &spec, &o.arguments, 1, &tuning));
  spec.schedule = "#attn.schedule<tiling = <q = 64, kv = 64>>";
  EXPECT_FAILS(ATTN_ERROR, "expects a spec without a schedule to tune",
               tune(0.1));
  EXPECT_EQ(tuning, nullptr);
  EXPECT_STREQ(attn_tuning_schedule(nullptr), "");
  EXPECT_EQ(attn_tuning_gain(nullptr), 1);
  EXPECT_EQ(attn_tuning_tried(nullptr) + attn_tuning_candidates(nullptr), 0);
}
