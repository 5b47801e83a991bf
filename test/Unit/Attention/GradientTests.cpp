// Gradients against their definition in f64 and plain C++. The derivative of a
// score program is taken numerically from the pattern that is written by hand.
#include "GradientHarness.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

using namespace attn;
using namespace attn::test;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct GradientCase {
  std::string name, pattern;
  ElementType type = ElementType::F32;
  ProblemSizes sizes;
  bool gradLse = true;
  bool deterministic = false;
};

class GradientsOf : public testing::TestWithParam<GradientCase> {};

TEST_P(GradientsOf, AreThoseOfTheDefinition) {
  const GradientCase &g = GetParam();
  Case c;
  c.pattern = g.pattern, c.type = g.type, c.sizes = g.sizes;
  Inputs inputs = makeInputs(c);
  Result<Mod> mod = loadPattern(g.pattern);
  ASSERT_TRUE(mod) << mod.error();
  BothPasses run(g.sizes, g.type, g.sizes.heads % 2 == 0);
  Result<std::vector<CaptureData>> captures = mod->makeCaptures(g.sizes);
  ASSERT_TRUE(captures) << captures.error();
  run.captures = *captures;
  run.set(inputs);
  std::vector<double> gradOut = normal(run.gradOut.count(), g.type, 77);
  run.gradOut.set(gradOut);
  if (g.gradLse)
    for (double x :
         normal(static_cast<int64_t>(run.lse.size()), ElementType::F32, 78))
      run.gradLse.push_back(static_cast<float>(x));
  run.compute(*mod, g.deterministic);
  compare(run, Definition(inputs, oracleOf(g.pattern, g.sizes, run.captures),
                          gradOut, run.gradLse)
                   .run());
}

std::vector<GradientCase> allCases() {
  std::vector<GradientCase> cases;
  const ProblemSizes usual{2, 4, 2, 70, 150, 64, 64, 2};
  for (const char *pattern :
       {"noop", "causal", "rel", "head_bias", "alibi", "sliding_window",
        "prefix_lm", "softcap", "document_mask"}) {
    ProblemSizes sizes = usual;
    if (std::string(pattern) == "document_mask")
      sizes.queries = sizes.keys;
    cases.push_back(
        {std::string(pattern) + "_f32", pattern, ElementType::F32, sizes});
  }
  // What has warps with roles on a GPU: several tiles on both axes, heads of a
  // group one after the other, widths on both sides of each schedule.
  const ProblemSizes tiles{2, 4, 2, 200, 300, 64, 64, 2};
  for (const char *pattern : {"noop", "causal", "head_bias", "alibi",
                              "sliding_window", "prefix_lm", "document_mask"}) {
    ProblemSizes sizes = tiles;
    if (std::string(pattern) == "document_mask")
      sizes.queries = sizes.keys;
    cases.push_back(
        {std::string(pattern) + "_bf16", pattern, ElementType::BF16, sizes});
  }
  for (int64_t width : {24, 72, 96, 104, 128, 192, 256})
    cases.push_back({"causal_bf16_" + std::to_string(width),
                     "causal",
                     ElementType::BF16,
                     {1, 2, 1, 150, 190, width, width, 1},
                     false});
  // Of widths that sm_90a else goes through once.
  for (const char *pattern : {"causal", "document_mask"})
    for (int64_t width : {64, 128})
      cases.push_back({std::string(pattern) + "_bf16_deterministic_" +
                           std::to_string(width),
                       pattern,
                       ElementType::BF16,
                       {1, 2, 1, 190, 190, width, width, 1},
                       false,
                       /*deterministic=*/true});
  // Three kernels with different tiles, each with lists of its own.
  cases.push_back({"documents_wide",
                   "document_mask",
                   ElementType::BF16,
                   {1, 2, 1, 300, 300, 256, 256, 1},
                   false});
  cases.push_back({"narrow_values",
                   "alibi",
                   ElementType::F16,
                   {1, 2, 1, 130, 140, 192, 128, 1}});
  cases.push_back({"wide_values",
                   "noop",
                   ElementType::BF16,
                   {1, 3, 1, 70, 260, 64, 256, 1}});
  cases.push_back({"softcap_f16", "softcap", ElementType::F16, usual});
  cases.push_back({"window_long",
                   "sliding_window",
                   ElementType::F32,
                   {1, 1, 1, 700, 700, 16, 16, 1},
                   false});
  cases.push_back({"documents_long",
                   "document_mask",
                   ElementType::F32,
                   {1, 2, 1, 500, 500, 32, 32, 1},
                   false});
  cases.push_back({"more_queries",
                   "causal",
                   ElementType::F32,
                   {1, 3, 1, 150, 70, 40, 72, 1}});
  cases.push_back(
      {"one_pair", "causal", ElementType::F32, {1, 1, 1, 1, 1, 8, 8, 1}});
  cases.push_back(
      {"odd", "alibi", ElementType::F32, {1, 5, 5, 65, 63, 1, 3, 1}});
  cases.push_back(
      {"wide", "noop", ElementType::F32, {1, 8, 1, 33, 65, 256, 128, 1}});
  return cases;
}

INSTANTIATE_TEST_SUITE_P(All, GradientsOf, testing::ValuesIn(allCases()),
                         [](const auto &info) { return info.param.name; });

Result<Mod> modOf(const char *programs) {
  return Mod::fromSource(std::string("attn.mod @m ") + programs, "mod.mlir");
}

/// Keeps what is strictly earlier, and nothing of the last three keys.
constexpr const char *strictly = R"(
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %last = arith.constant 60 : i32
    %earlier = arith.cmpi sgt, %q, %kv : i32
    %seen = arith.cmpi slt, %kv, %last : i32
    %keep = arith.andi %earlier, %seen : i1
    attn.yield %keep : i1
  })";

/// Rows without keys, keys that nobody sees: zeros, with NaN in all of them.
void expectMaskedDoesNotCount(ElementType type, int64_t width) {
  Result<Mod> mod = modOf(strictly);
  ASSERT_TRUE(mod) << mod.error();
  Case c;
  c.type = type;
  c.sizes = {1, 2, 1, 70, 63, width, width, 1};
  Inputs inputs = makeInputs(c);
  BothPasses run(c.sizes, c.type);
  std::vector<double> gradOut = normal(run.gradOut.count(), c.type, 5);
  auto spoil = [&](std::vector<double> numbers, int64_t heads, int64_t length,
                   int64_t channels, int64_t from, int64_t to) {
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t i = from; i < to; ++i)
        for (int64_t d = 0; d < channels; ++d)
          numbers[(h * length + i) * channels + d] =
              d % 2 ? std::nan("") : infinity;
    return numbers;
  };
  run.query.set(spoil(inputs.query, 2, 70, width, 0, 1));
  run.gradOut.set(spoil(gradOut, 2, 70, width, 0, 1));
  run.key.set(spoil(inputs.key, 1, 63, width, 60, 63));
  run.value.set(spoil(inputs.value, 1, 63, width, 60, 63));
  run.compute(*mod);
  Oracle oracle;
  oracle.mask = [](int, int, int q, int kv) { return q > kv && kv < 60; };
  compare(run, Definition(inputs, oracle, gradOut, run.gradLse).run());
  std::vector<double> ofKeys = run.gradKey.get(),
                      ofValues = run.gradValue.get(),
                      ofQueries = run.gradQuery.get();
  for (int64_t i = 60 * width; i < 63 * width; ++i)
    EXPECT_TRUE(ofKeys[i] == 0 && ofValues[i] == 0) << i;
  for (int64_t d = 0; d < width; ++d)
    EXPECT_TRUE(ofQueries[d] == 0 && ofQueries[70 * width + d] == 0) << d;
}

TEST(Gradient, WhatIsMaskedDoesNotCountWhateverItIs) {
  for (ElementType type : {ElementType::F32, ElementType::BF16})
    expectMaskedDoesNotCount(type, 16);
  // In one pass, on sm_90a.
  expectMaskedDoesNotCount(ElementType::BF16, 64);
}

void expectTheSameInAnyWorkspace(ElementType type, int64_t width,
                                 int64_t length) {
  Result<Mod> mod = loadPattern("causal");
  ASSERT_TRUE(mod) << mod.error();
  Case c;
  c.type = type, c.sizes = {1, 4, 2, length, length, width, width, 1};
  Inputs inputs = makeInputs(c);
  BothPasses run(c.sizes, c.type);
  run.set(inputs);
  run.gradOut.set(normal(run.gradOut.count(), c.type, 5));
  Result<GradientKernel> kernel =
      GradientKernel::compile(*mod, specOf(c.type, width, width));
  ASSERT_TRUE(kernel) << kernel.error();
  run.computeForward(*mod);
  run.runGradients(*kernel, *mod);
  auto bytes = [&] {
    return std::array{run.gradQuery.bytes, run.gradKey.bytes,
                      run.gradValue.bytes};
  };
  auto first = bytes();
  for (Tensor *tensor : {&run.gradQuery, &run.gradKey, &run.gradValue})
    for (double x : tensor->get())
      ASSERT_TRUE(std::isfinite(x));
  // Two numbers for each query of whole tiles.
  int64_t bytesOfRows = kernel->workspaceBytes(c.sizes);
  EXPECT_GE(bytesOfRows, 4 * 2 * 4 * length);
  EXPECT_LE(bytesOfRows, 4 * 2 * 4 * (length + 384));
  for (int i = 0; i < (interpreted() ? 2 : 20); ++i) {
    for (Tensor *tensor : {&run.gradQuery, &run.gradKey, &run.gradValue})
      std::fill(tensor->bytes.begin(), tensor->bytes.end(), std::byte(0xff));
    std::vector<std::byte> poison(static_cast<size_t>(bytesOfRows),
                                  std::byte(0xff));
    Placed workspace;
    GradientArguments a = run.arguments(*mod);
    if (i % 2)
      a.workspace = workspace.in(poison.data(), poison.size());
    a.workspaceBytes = bytesOfRows;
    Result<void> ran = kernel->run(a);
    ASSERT_TRUE(ran) << ran.error();
    run.fetch();
    EXPECT_TRUE(bytes() == first);
  }
}

TEST(Gradient, IsTheSameOnEveryRunAndInAnyWorkspace) {
  expectTheSameInAnyWorkspace(ElementType::F32, 32, 200);
  // Kernels for sm_90a visit 48 queries at a time where others own 128: up to
  // 288, behind the last that anybody wrote.
  expectTheSameInAnyWorkspace(ElementType::BF16, 256, 250);
}

/// Of a pattern's attention with given schedules, against the definition.
void expectGradientsBy(const std::string &schedules, ElementType type,
                       const std::string &pattern = "causal",
                       int64_t headDim = 32, int64_t valueDim = 32,
                       int64_t batch = 1) {
  SCOPED_TRACE(pattern + " D" + std::to_string(headDim));
  Result<Mod> mod = loadPattern(pattern);
  ASSERT_TRUE(mod) << mod.error();
  Case c;
  c.type = type, c.sizes = {batch, 4, 2, 150, 200, headDim, valueDim, batch};
  Inputs inputs = makeInputs(c);
  BothPasses run(c.sizes, c.type);
  run.set(inputs);
  std::vector<double> gradOut = normal(run.gradOut.count(), c.type, 5);
  run.gradOut.set(gradOut);
  run.computeForward(*mod);
  KernelSpec spec = specOf(c.type, headDim, valueDim);
  spec.schedule = schedules;
  Result<GradientKernel> kernel = GradientKernel::compile(*mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  for (Tensor *tensor : {&run.gradQuery, &run.gradKey, &run.gradValue})
    std::fill(tensor->bytes.begin(), tensor->bytes.end(), std::byte(0xff));
  ASSERT_TRUE(kernel->run(run.arguments(*mod)));
  run.fetch();
  compare(run, Definition(inputs, oracleOf(pattern, c.sizes, run.captures),
                          gradOut, {})
                   .run());
}

TEST(Gradient, ByGivenSchedules) {
  std::string warps = selectedTarget() == Target::CPU ? "1" : "2";
  auto plain = [&](const std::string &tiles) {
    return "#attn.schedule<tiling = <" + tiles +
           ">, roles = <warps = " + warps + ">>";
  };
  expectGradientsBy("[" + plain("q = 32, kv = 48") + ", " +
                        plain("q = 48, kv = 32, owns_keys") + ", " +
                        plain("q = 16, kv = 64, owns_keys") + "]",
                    ElementType::F32);
  if (!runsSM90a())
    return;
  // Groups that take turns.
  auto turns = [](const std::string &tiles) {
    return "#attn.schedule<tiling = <" + tiles +
           ">, roles = <warps = 8, producers = 4, pingpong>, "
           "pipeline = <stages = 2, persistent>>";
  };
  expectGradientsBy("[" + turns("q = 128, kv = 64") + ", " +
                        turns("q = 48, kv = 128, owns_keys") + "]",
                    ElementType::BF16);
}

/// The ends of what an autotuner tries (attn/Analysis/ScheduleSpace.h).
TEST(Gradient, ByWhateverIsTuned) {
  if (selectedTarget() == Target::CPU) {
    auto plain = [](const std::string &tiles) {
      return "#attn.schedule<tiling = <" + tiles + ">>";
    };
    for (ElementType type : {ElementType::F32, ElementType::BF16}) {
      expectGradientsBy("[" + plain("q = 16, kv = 256") + ", " +
                            plain("q = 192, kv = 16, owns_keys") + "]",
                        type);
      expectGradientsBy("[" + plain("q = 128, kv = 32") + ", " +
                            plain("q = 32, kv = 48, owns_keys") + "]",
                        type, "sliding_window", 48, 40);
    }
    return;
  }
  if (!runsSM90a()) {
    auto plain = [](const std::string &tiles, int warps, int stages) {
      return "#attn.schedule<tiling = <" + tiles +
             ">, roles = <warps = " + std::to_string(warps) +
             ">, pipeline = <stages = " + std::to_string(stages) + ">>";
    };
    expectGradientsBy("[" + plain("q = 32, kv = 48", 1, 2) + ", " +
                          plain("q = 16, kv = 128, owns_keys", 8, 1) + "]",
                      ElementType::BF16);
    expectGradientsBy("[" + plain("q = 128, kv = 80", 4, 1) + ", " +
                          plain("q = 48, kv = 64, owns_keys", 2, 2) + "]",
                      ElementType::F16, "sliding_window", 48, 40);
    return;
  }
  auto groups = [](int64_t queries, int64_t keys, int64_t warps, int64_t stages,
                   const std::string &owns) {
    return "#attn.schedule<tiling = <q = " + std::to_string(queries) +
           ", kv = " + std::to_string(keys) + owns +
           ">, roles = <warps = " + std::to_string(warps) +
           ", producers = 4>, pipeline = <stages = " + std::to_string(stages) +
           ", persistent" + (owns.empty() ? "" : ", dependent") + ">>";
  };
  const char *owns = ", owns_keys", *once = ", owns_keys, once";
  expectGradientsBy("[" + groups(192, 112, 12, 2, "") + ", " +
                        groups(32, 64, 4, 4, owns) + "]",
                    ElementType::BF16, "causal", 32, 48);
  expectGradientsBy("[" + groups(64, 80, 4, 3, "") + ", " +
                        groups(96, 192, 12, 2, owns) + "]",
                    ElementType::F16, "sliding_window", 64, 64);
  expectGradientsBy("[" + groups(64, 64, 4, 3, once) + "]", ElementType::BF16,
                    "causal", 64, 64);
  expectGradientsBy("[" + groups(64, 64, 4, 2, once) + "]", ElementType::BF16,
                    "softcap", 128, 128);
}

TEST(Gradient, InOnePass) {
  if (!runsSM90a())
    GTEST_SKIP() << "only kernels for sm_90a add up in memory";
  auto once = [](const std::string &tiles) {
    return "[#attn.schedule<tiling = <" + tiles +
           ", owns_keys, once>, roles = <warps = 8, producers = 4>, "
           "pipeline = <stages = 2, persistent>>]";
  };
  // Groups that share rows, or columns.
  std::string byRows = once("q = 128, kv = 128"),
              byColumns = once("q = 64, kv = 128");
  expectGradientsBy(byRows, ElementType::BF16, "causal", 32, 48,
                    /*batch=*/3); // so that a block has several tasks
  expectGradientsBy(byRows, ElementType::F16, "noop", 48, 64);
  expectGradientsBy(byColumns, ElementType::BF16, "causal", 128, 128);
  expectGradientsBy(byColumns, ElementType::BF16, "softcap", 120, 96);
  expectGradientsBy(byColumns, ElementType::BF16, "causal", 64, 64);
}

TEST(Gradient, OfMemoryThatTMADoesNotTake) {
  // What no element is reached by may be anything, but not for a tensor map.
  Result<Mod> mod = loadPattern("noop");
  ASSERT_TRUE(mod) << mod.error();
  Case c;
  c.type = ElementType::BF16, c.sizes = {1, 2, 1, 30, 40, 16, 16, 1};
  Inputs inputs = makeInputs(c);
  BothPasses run(c.sizes, c.type);
  run.set(inputs);
  run.gradOut.set(normal(run.gradOut.count(), c.type, 5));
  Result<GradientKernel> kernel =
      GradientKernel::compile(*mod, specOf(c.type, 16, 16));
  ASSERT_TRUE(kernel) << kernel.error();
  run.computeForward(*mod);
  run.runGradients(*kernel, *mod);
  std::vector<double> expected = run.gradKey.get();
  GradientArguments a = run.arguments(*mod);
  a.query.strides[0] = int64_t(1) << 44;
  std::fill(run.gradKey.bytes.begin(), run.gradKey.bytes.end(),
            std::byte(0xff));
  a.gradKey = run.gradKey.onDevice();
  Result<void> ran = kernel->run(a);
  ASSERT_TRUE(ran) << ran.error();
  run.fetch();
  EXPECT_LT(distance(run.gradKey.get(), expected), allowed(c.type));
}

void expectOneUpstreamRowForAll(ElementType type) {
  Result<Mod> mod = loadPattern("noop");
  ASSERT_TRUE(mod) << mod.error();
  Case c;
  c.type = type;
  c.sizes = {2, 2, 1, 30, 40, 16, 16, 2};
  Inputs inputs = makeInputs(c);
  BothPasses run(c.sizes, c.type);
  run.set(inputs);
  std::vector<double> row = normal(16, c.type, 5), all;
  for (int64_t i = 0; i < 2 * 2 * 30; ++i)
    all.insert(all.end(), row.begin(), row.end());
  run.gradOut.set(all);
  Result<GradientKernel> kernel =
      GradientKernel::compile(*mod, specOf(c.type, 16, 16));
  ASSERT_TRUE(kernel) << kernel.error();
  run.computeForward(*mod);
  run.runGradients(*kernel, *mod);
  std::vector<double> expected = run.gradQuery.get();
  GradientArguments a = run.arguments(*mod);
  a.gradOut.strides = {0, 0, 0};
  ASSERT_TRUE(kernel->run(a));
  run.fetch();
  EXPECT_LT(distance(run.gradQuery.get(), expected), allowed(type));
}

TEST(Gradient, OfOneUpstreamRowForAll) {
  // What a sum's gradient is: one number, expanded.
  for (ElementType type : {ElementType::F32, ElementType::BF16})
    expectOneUpstreamRowForAll(type);
}

TEST(Gradient, OfQueriesAtAnOffset) {
  Result<Mod> mod = loadPattern("alibi");
  ASSERT_TRUE(mod) << mod.error();
  Result<Mod> shifted = mod->withQueryOffset(QueryOffset::PerBatch);
  ASSERT_TRUE(shifted) << shifted.error();
  Case c;
  c.sizes = {2, 2, 1, 30, 140, 16, 16, 2};
  Inputs inputs = makeInputs(c);
  BothPasses run(c.sizes, c.type);
  run.set(inputs);
  std::vector<double> gradOut = normal(run.gradOut.count(), c.type, 5);
  run.gradOut.set(gradOut);
  run.captures = *shifted->makeCaptures(c.sizes);
  const int32_t offsets[] = {100, -3};
  std::memcpy(run.captures.back().bytes.data(), offsets, sizeof offsets);
  run.compute(*shifted);
  Oracle plain = oracleOf("alibi", c.sizes, run.captures), oracle;
  oracle.score = [=](double s, int b, int h, int q, int kv) {
    return plain.score(s, b, h, q + offsets[b], kv);
  };
  oracle.mask = [=](int b, int h, int q, int kv) {
    return plain.mask(b, h, q + offsets[b], kv);
  };
  compare(run, Definition(inputs, oracle, gradOut, run.gradLse).run());
}

TEST(Gradient, OfNothing) {
  Result<Mod> mod = loadPattern("causal");
  ASSERT_TRUE(mod) << mod.error();
  Result<GradientKernel> kernel =
      GradientKernel::compile(*mod, specOf(ElementType::F32, 16, 16));
  ASSERT_TRUE(kernel) << kernel.error();
  BothPasses noKeys({1, 2, 1, 5, 0, 16, 16, 1}, ElementType::F32);
  ASSERT_TRUE(kernel->run(noKeys.arguments(*mod)));
  noKeys.fetch();
  EXPECT_EQ(noKeys.gradQuery.get(), std::vector<double>(2 * 5 * 16));
  BothPasses noQueries({1, 2, 1, 0, 5, 16, 16, 1}, ElementType::F32);
  ASSERT_TRUE(kernel->run(noQueries.arguments(*mod)));
  noQueries.fetch();
  EXPECT_EQ(noQueries.gradKey.get(), std::vector<double>(5 * 16));
  EXPECT_EQ(noQueries.gradValue.get(), std::vector<double>(5 * 16));
}

TEST(Gradient, SaysWhatItDoesNotTake) {
  Result<Mod> mod = loadPattern("causal");
  ASSERT_TRUE(mod) << mod.error();
  KernelSpec spec = specOf(ElementType::F32, 16, 16);
  spec.schedule = "#attn.variants<[<always -> <tiling = <q = 64, kv = 64>>>]>";
  EXPECT_EQ(GradientKernel::compile(*mod, spec).error(),
            "expects a schedule for gradients, or a list of one that owns "
            "queries and at most two that own keys, such as "
            "[#attn.schedule<tiling = <q = 64, kv = 64>>, "
            "#attn.schedule<tiling = <q = 64, kv = 64, owns_keys>>], "
            "got '#attn.variants<[<always -> <tiling = <q = 64, kv = 64>>>]>'");
  spec.schedule = "";
  Result<GradientKernel> kernel = GradientKernel::compile(*mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  BothPasses run({1, 2, 1, 5, 7, 16, 16, 1}, ElementType::F32);
  auto errorOf = [&](const std::function<void(GradientArguments &)> &change) {
    GradientArguments a = run.arguments(*mod);
    change(a);
    Result<void> ran = kernel->run(a);
    return ran ? "" : ran.error();
  };
  EXPECT_EQ(errorOf([](auto &a) { a.gradKey.sizes[2] = 6; }),
            "expects 'gradKey' length 7 like 'key', got 6");
  EXPECT_EQ(errorOf([](auto &a) { a.gradOut.type = ElementType::BF16; }),
            "expects 'gradOut' of f32, got bf16");
  EXPECT_EQ(errorOf([](auto &a) { a.gradQuery.data = nullptr; }),
            "expects memory for 'gradQuery', got null");
  EXPECT_EQ(errorOf([](auto &a) { a.lse = nullptr; }),
            "expects memory for 'lse', got null");
  float gradLse[10] = {};
  EXPECT_EQ(errorOf([&](auto &a) { a.gradLse = gradLse; }),
            "expects no 'gradLse': the kernel was compiled without it");
  EXPECT_EQ(errorOf([](auto &a) { a.value.sizes[1] = 2; }),
            "expects 'value' number of heads 1, got 2");
}

} // namespace
