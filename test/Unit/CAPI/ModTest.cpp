// Mods and captures through the C interface.
#include "Fixtures.h"

#include <algorithm>
#include <cstring>
#include <sys/resource.h>
#include <unistd.h>

TEST(Mod, DiagnosticsNameTheLine) {
  attn_mod *mod = nullptr;
  EXPECT_FAILS(
      ATTN_ERROR, "mine.mlir:2:3: error:",
      attn_mod_from_source("attn.mod @wrong\n  nonsense", "mine.mlir", &mod));
  EXPECT_EQ(mod, nullptr);
  EXPECT_FAILS(ATTN_ERROR, "got none",
               attn_mod_from_source("", "mine.mlir", &mod));
}

TEST(Mod, SaysWhatItIs) {
  Owned<attn_mod> mod = modOf(biasMod);
  EXPECT_STREQ(attn_mod_name(mod.get()), "bias");
  EXPECT_EQ(attn_mod_has_score(mod.get()), 1);
  EXPECT_EQ(attn_mod_has_mask(mod.get()), 0);
  EXPECT_EQ(attn_mod_folds_batch(mod.get()), 0);
  ASSERT_EQ(attn_mod_capture_count(mod.get()), 2u);
  attn_capture_info info{};
  info.size = sizeof info;
  ASSERT_OK(attn_mod_capture(mod.get(), 0, &info));
  EXPECT_STREQ(info.name, "table");
  EXPECT_EQ(info.type, ATTN_F32);
  EXPECT_EQ(info.rank, 1);
  EXPECT_EQ(info.is_scalar, 0);
  ASSERT_OK(attn_mod_capture(mod.get(), 1, &info));
  EXPECT_STREQ(info.name, "factor");
  EXPECT_EQ(info.rank, 0);
  EXPECT_EQ(info.is_scalar, 1);
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects 'index' below 2, got 2",
               attn_mod_capture(mod.get(), 2, &info));
}

TEST(Mod, OffsetAndLengthsAreCaptures) {
  Owned<attn_mod> plain = modOf(causalMod);
  attn_mod *result = nullptr;
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects an attn_query_offset, got 3",
               attn_mod_with_query_offset(plain.get(), 3, &result));
  ASSERT_OK(
      attn_mod_with_query_offset(plain.get(), ATTN_OFFSET_PER_BATCH, &result));
  Owned<attn_mod> shifted(result, attn_mod_release);
  EXPECT_FAILS(
      ATTN_ERROR, "it has one",
      attn_mod_with_query_offset(shifted.get(), ATTN_OFFSET_SCALAR, &result));
  ASSERT_OK(attn_mod_with_lengths(shifted.get(), &result));
  Owned<attn_mod> both(result, attn_mod_release);
  ASSERT_EQ(attn_mod_capture_count(both.get()), 2u);
  attn_capture_info info{};
  info.size = sizeof info;
  ASSERT_OK(attn_mod_capture(both.get(), 0, &info));
  EXPECT_EQ(info.is_query_offset, 1);
  EXPECT_EQ(info.rank, 1);
  ASSERT_OK(attn_mod_capture(both.get(), 1, &info));
  EXPECT_EQ(info.is_lengths, 1);
  EXPECT_EQ(info.type, ATTN_I32);
}

TEST(Mod, MakesItsData) {
  Owned<attn_mod> mod = modOf(biasMod);
  attn_sizes sizes = sizesOf(1, 3, 16);
  attn_captures *made = nullptr;
  ASSERT_OK(attn_mod_make_captures(mod.get(), &sizes, &made));
  Owned<attn_captures> captures(made, attn_captures_release);
  ASSERT_EQ(attn_captures_count(made), 2u);
  attn_capture view{};
  view.size = sizeof view;
  ASSERT_OK(attn_captures_get(made, 0, &view));
  EXPECT_EQ(view.type, ATTN_F32);
  ASSERT_EQ(view.rank, 1);
  ASSERT_EQ(view.sizes[0], 3);
  EXPECT_EQ(static_cast<const float *>(view.data)[2], 1);
  ASSERT_OK(attn_captures_get(made, 1, &view));
  EXPECT_EQ(view.rank, 0);
  EXPECT_EQ(*static_cast<const float *>(view.data), 0.5f);
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects 'index' below 2, got 2",
               attn_captures_get(made, 2, &view));
}

TEST(Mod, DataBeyondTheMemoryIsAnError) {
  Owned<attn_mod> mod = modOf(R"(
attn.mod @table(%t: tensor<?x?xf32> {attn.shape = ["keys * 1024", "keys"],
    attn.data = @ones})
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %t[%q, %kv] : tensor<?x?xf32>
    attn.yield %x : f32
  }
attn.fill @ones(%i: i32, %j: i32) {
  %one = arith.constant 1.0 : f32
  attn.yield %one : f32
}
)");
  attn_captures *made = nullptr;
  attn_sizes large = sizesOf(1, 1, int64_t(1) << 20);
  EXPECT_FAILS(ATTN_ERROR, "expects capture 't' of at most",
               attn_mod_make_captures(mod.get(), &large, &made));
  large = sizesOf(1, 1, INT32_MAX);
  EXPECT_FAILS(ATTN_ERROR, "expects capture 't' of fewer than 2^63 bytes",
               attn_mod_make_captures(mod.get(), &large, &made));
  attn_mod *lengths = nullptr;
  ASSERT_OK(attn_mod_with_lengths(modOf(plainMod).get(), &lengths));
  Owned<attn_mod> owned(lengths, attn_mod_release);
  attn_sizes sizes = sizesOf(1, 1, 16);
  ASSERT_OK(attn_mod_make_captures(lengths, &sizes, &made));
  attn_captures_release(made);
}

/// Asks for lengths of `batch`, with an address space for half of them.
static void exhaustMemory(const attn_mod *mod, int64_t batch) {
  rlimit limit{};
  limit.rlim_cur = limit.rlim_max = static_cast<rlim_t>(batch) * 2;
  setrlimit(RLIMIT_AS, &limit);
  attn_sizes sizes = sizesOf(batch, 1, 1);
  attn_captures *captures = nullptr;
  attn_mod_make_captures(mod, &sizes, &captures);
}

TEST(Mod, MemoryThatRunsOutEndsTheProcessInWords) {
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "sanitizers need more address space than a limit leaves";
#endif
#endif
  attn_mod *made = nullptr;
  ASSERT_OK(attn_mod_with_lengths(modOf(plainMod).get(), &made));
  Owned<attn_mod> mod(made, attn_mod_release);
  // Half of what this machine has, so that it is asked for.
  int64_t bytes = int64_t(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE) / 2;
  EXPECT_DEATH(
      exhaustMemory(mod.get(), std::min<int64_t>(bytes / 4, INT32_MAX)),
      "attn: out of memory");
}

TEST(Mod, ReadsOutOfBoundsAreFound) {
  Owned<attn_mod> mod = modOf(biasMod);
  const float table[2] = {1, 2}, factor = 3;
  std::vector<int64_t> two{2};
  attn_capture captures[] = {captureOf(table, ATTN_F32, two),
                             captureOf(&factor, 0)};
  attn_sizes sizes = sizesOf(1, 3, 16);
  EXPECT_FAILS(ATTN_ERROR, "test.mlir:5:10: error:",
               attn_mod_check(mod.get(), &sizes, captures, 2));
}

TEST(Mod, LivesUntilItsLastOwnerReleasesIt) {
  Owned<attn_mod> mod = modOf(plainMod);
  attn_mod_retain(mod.get());
  attn_mod_release(mod.get());
  EXPECT_STREQ(attn_mod_name(mod.get()), "plain");
}

/// MLIR's parser calls itself for each bracket.
TEST(Mod, BracketsThatAreNestedTooDeepAreRefused) {
  attn_mod *made = nullptr;
  for (const char *bracket : {"[", "{a = ", "<", "("}) {
    std::string text = "attn.mod @x attributes {a = ";
    for (int i = 0; i < 100000; ++i)
      text += bracket;
    EXPECT_FAILS(ATTN_ERROR, "deep.mlir:1:",
                 attn_mod_from_source(text.c_str(), "deep.mlir", &made));
    EXPECT_NE(std::string(attn_error_text()).find("at most 256 deep"),
              std::string::npos);
  }
  attn_spec spec = cpuSpec();
  std::string schedule(300000, '<');
  spec.schedule = schedule.c_str();
  attn_kernel *kernel = nullptr;
  Owned<attn_mod> mod = modOf(plainMod);
  EXPECT_FAILS(ATTN_ERROR, "schedule:1:257: error: expects brackets nested",
               attn_kernel_compile(mod.get(), &spec, &kernel));
  // What is no bracket does not count.
  std::string text = "// " + std::string(1000, '(') +
                     "\nattn.mod @x attributes {a = \"" +
                     std::string(1000, '[') + "\\\"[\"}";
  attn_mod *plain = nullptr;
  EXPECT_OK(attn_mod_from_source(text.c_str(), "flat.mlir", &plain));
  attn_mod_release(plain);
}
