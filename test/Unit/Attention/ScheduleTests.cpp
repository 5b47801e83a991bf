// The schedules for sm_90a that nothing chooses by itself, and what they add:
// blocks that do many tasks, tasks without keys, output through shared memory.
#include "Harness.h"

#include <gtest/gtest.h>

using namespace attn;
using namespace attn::test;

namespace {

struct Shape {
  const char *pattern;
  ProblemSizes sizes;
};

/// Less and more tasks than blocks, tiles that stick out, channels that do,
/// rows without keys, short tasks behind long ones.
constexpr Shape shapes[] = {
    {"noop", {1, 1, 1, 1, 300, 64, 64, 1}},
    {"noop", {2, 2, 2, 400, 200, 64, 64, 1}},
    {"causal", {1, 4, 2, 450, 450, 64, 64, 1}},
    {"sliding_window", {1, 1, 1, 1000, 1000, 64, 64, 1}},
    {"document_mask", {1, 2, 2, 300, 400, 64, 64, 1}},
    {"alibi", {1, 2, 2, 203, 113, 64, 56, 1}},
    {"softcap", {1, 3, 1, 500, 0, 64, 64, 1}},
};

class Schedules : public testing::TestWithParam<const char *> {
protected:
  void SetUp() override {
    if (!runsSM90a())
      GTEST_SKIP() << "no kernels for sm_90a";
  }

  void run(Case c) {
    c.schedule = GetParam();
    // The same counters and barriers once more.
    c.runs = 2;
    SCOPED_TRACE(c.name());
    runPattern(c);
  }
};

TEST_P(Schedules, AllShapes) {
  for (const Shape &shape : shapes) {
    Case c;
    c.pattern = shape.pattern;
    c.type = ElementType::BF16;
    c.sizes = shape.sizes;
    run(c);
  }
}

// What TMA stores goes where strides say.
TEST_P(Schedules, StridedMemory) {
  Case c;
  c.pattern = "causal";
  c.type = ElementType::F16;
  c.sizes = {1, 4, 2, 333, 350, 64, 64, 1};
  c.layout = Layout::BSHD;
  c.rowPadding = 16, c.offset = 8;
  run(c);
}

constexpr const char *schedules[] = {
    "#attn.schedule<tiling = <q = 128, kv = 64>, "
    "roles = <warps = 8, producers = 4, pingpong>, "
    "pipeline = <stages = 2, drain>>",
    "#attn.schedule<tiling = <q = 128, kv = 64>, "
    "roles = <warps = 8, producers = 4, pingpong>, "
    "pipeline = <stages = 2, persistent>>",
    "#attn.schedule<tiling = <q = 128, kv = 64>, "
    "roles = <warps = 8, producers = 4, pingpong>, "
    "pipeline = <stages = 2, task_stages = 2, persistent, drain>>",
    "#attn.schedule<tiling = <q = 128, kv = 64>, "
    "roles = <warps = 8, producers = 4, pingpong>, "
    "pipeline = <stages = 2, task_stages = 2, persistent, drain, eager>>",
    "#attn.schedule<tiling = <q = 64, kv = 64>, "
    "roles = <warps = 4, producers = 4>, "
    "pipeline = <stages = 2, task_stages = 2, persistent, eager>>",
    "#attn.schedule<tiling = <q = 192, kv = 96>, "
    "roles = <warps = 12, producers = 4>, "
    "pipeline = <stages = 3, task_stages = 2, persistent, drain>>",
    "#attn.schedule<tiling = <q = 64, kv = 128>, "
    "roles = <warps = 4, producers = 4>, "
    "pipeline = <stages = 2, persistent, drain>>",
    "#attn.schedule<tiling = <q = 64, kv = 64>, "
    "roles = <warps = 4, producers = 4, min_blocks = 2>, "
    "pipeline = <stages = 2>>",
};

INSTANTIATE_TEST_SUITE_P(SM90a, Schedules, testing::ValuesIn(schedules));

} // namespace

// Where tiles of 64 queries all run at once, every launch takes them: on the
// PTX machine three do, a GPU has more.
TEST(ScheduleLengths, FewTasks) {
  if (!runsSM90a())
    GTEST_SKIP() << "no kernels for sm_90a";
  for (auto [pattern, headDim] : {std::pair<const char *, int64_t>("alibi", 64),
                                  {"causal", 128},
                                  {"sliding_window", 256}}) {
    Case c;
    c.pattern = pattern;
    c.type = ElementType::BF16;
    c.sizes = {1, 1, 1, 150, 333, headDim, headDim, 1};
    SCOPED_TRACE(c.name());
    runPattern(c);
  }
}

// Wide heads: a chunk of shared memory for each 64 channels.
TEST(ScheduleWidths, OutputOfManyChunks) {
  if (!runsSM90a())
    GTEST_SKIP() << "no kernels for sm_90a";
  struct Widths {
    int64_t head, value;
    const char *roles, *pipeline; ///< what those for long rows have besides
  };
  for (auto [headDim, valueDim, roles, pipeline] :
       {Widths{128, 128, "", ""},
        {192, 128, "", ""},
        {192, 192, ", pingpong", ", task_stages = 2"},
        {256, 256, ", pingpong", ""}}) {
    Case c;
    c.pattern = "causal";
    c.type = ElementType::BF16;
    c.sizes = {1, 2, 2, 300, 310, headDim, valueDim, 1};
    c.schedule = std::string("#attn.schedule<tiling = <q = 128, kv = 80>, "
                             "roles = <warps = 8, producers = 4") +
                 roles + ">, pipeline = <stages = 2, persistent, drain" +
                 pipeline + ">>";
    c.runs = 2;
    SCOPED_TRACE(c.name());
    runPattern(c);
  }
}
