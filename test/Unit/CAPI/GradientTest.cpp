// Kernels of gradients through the C interface.
#include "Fixtures.h"

#include <cmath>
#include <limits>

static Owned<attn_gradient> gradientOf(const char *mod,
                                       std::vector<const char *> wrt = {}) {
  attn_spec spec = cpuSpec();
  attn_gradient *gradient = nullptr;
  EXPECT_OK(attn_gradient_compile(modOf(mod).get(), &spec, wrt.data(),
                                  wrt.size(), &gradient));
  return {gradient, attn_gradient_release};
}

TEST(Gradient, RunsWithAWorkspaceOfTheCaller) {
  Owned<attn_gradient> gradient = gradientOf(causalMod);
  EXPECT_GT(attn_gradient_compile_seconds(gradient.get()), 0);
  EXPECT_STRNE(attn_gradient_schedule(gradient.get()), "");
  Backward b(causalMod, 2, 20);
  ASSERT_OK(attn_gradient_prepare_like(gradient.get(), &b.back));
  ASSERT_OK(attn_gradient_run(gradient.get(), &b.back));
  // The weights of a row sum to 1: so much of dO goes to the values.
  double sum = 0, expected = 0;
  for (size_t i = 0; i < b.gradValue.data.size(); ++i)
    sum += b.gradValue.data[i], expected += b.gradOut.data[i];
  EXPECT_NEAR(sum, expected, 1e-3);
  std::vector<float> before = b.gradQuery.data;

  attn_sizes sizes = sizesOf(1, 2, 20);
  int64_t bytes = 0;
  ASSERT_OK(attn_gradient_workspace_bytes(gradient.get(), &sizes, nullptr,
                                          nullptr, 0, &bytes));
  ASSERT_GT(bytes, 0);
  std::vector<double> memory(bytes / 8 + 2);
  b.back.workspace = memory.data(), b.back.workspace_bytes = bytes - 1;
  EXPECT_FAILS(ATTN_ERROR, "expects a workspace of at least",
               attn_gradient_run(gradient.get(), &b.back));
  b.back.workspace_bytes = bytes;
  ASSERT_OK(attn_gradient_run(gradient.get(), &b.back));
  EXPECT_EQ(b.gradQuery.data, before);
  b.back.grad_key = nullptr;
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects 'grad_key', got NULL",
               attn_gradient_run(gradient.get(), &b.back));
}

TEST(Gradient, OfCaptures) {
  Owned<attn_gradient> gradient = gradientOf(biasMod, {"table", "factor"});
  const float table[] = {1, -2}, factor = 0.25f;
  std::vector<int64_t> two{2};
  Backward b(biasMod, 2, 20,
             {captureOf(table, ATTN_F32, two), captureOf(&factor, ATTN_F32)});
  float ofTable[2] = {NAN, NAN}, ofFactor = NAN;
  float *const gradients[] = {ofTable, &ofFactor};
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects 2 gradients of captures, got 0",
               attn_gradient_run(gradient.get(), &b.back));
  b.back.grad_capture_count = 2;
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects 'grad_captures', got NULL",
               attn_gradient_run(gradient.get(), &b.back));
  b.back.grad_captures = gradients;
  ASSERT_OK(attn_gradient_run(gradient.get(), &b.back));
  // Of table[h] * factor * distance: both say the same of the sum.
  EXPECT_NEAR(ofTable[0] * table[0] + ofTable[1] * table[1], ofFactor * factor,
              1e-4);
  EXPECT_NE(ofFactor, 0);

  attn_sizes sizes = sizesOf(1, 2, 20);
  int64_t bytes = 0;
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects 2 captures, got 0",
               attn_gradient_workspace_bytes(gradient.get(), &sizes, nullptr,
                                             nullptr, 0, &bytes));
  EXPECT_OK(attn_gradient_workspace_bytes(gradient.get(), &sizes, &sizes,
                                          b.views.data(), 2, &bytes));
  EXPECT_GT(bytes, 0);
  b.views[0].sizes = nullptr;
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects sizes of 'table', got NULL",
               attn_gradient_workspace_bytes(gradient.get(), &sizes, nullptr,
                                             b.views.data(), 2, &bytes));
}

TEST(Gradient, NamesAreChecked) {
  Owned<attn_mod> mod = modOf(biasMod);
  attn_spec spec = cpuSpec();
  attn_gradient *gradient = nullptr;
  const char *names[] = {"table", nullptr, "table"};
  auto compile = [&](const char *const *wrt, size_t count) {
    return attn_gradient_compile(mod.get(), &spec, wrt, count, &gradient);
  };
  EXPECT_FAILS(ATTN_INVALID_CALL, "at most 2 captures, got 3",
               compile(names, 3));
  EXPECT_FAILS(ATTN_INVALID_CALL, "at most 2 captures",
               compile(names, SIZE_MAX));
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects 'wrt', got NULL", compile(names, 2));
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects 'wrt', got NULL",
               compile(nullptr, 1));
  names[1] = "nobody";
  EXPECT_FAILS(ATTN_ERROR, "got 'nobody'", compile(names, 2));
  spec.paged = 1;
  EXPECT_FAILS(ATTN_ERROR, "for gradients", compile(names, 1));
  EXPECT_EQ(gradient, nullptr);
}

TEST(Gradient, TilesAreFoundAndTaken) {
  Owned<attn_gradient> gradient = gradientOf(documentsMod);
  std::vector<int32_t> ids(70, 1);
  std::fill_n(ids.begin(), 40, 0);
  std::vector<int64_t> length{70};
  attn_capture capture = captureOf(ids.data(), ATTN_I32, length);
  attn_sizes sizes = sizesOf(1, 1, 70);
  ASSERT_OK(attn_gradient_prepare(gradient.get(), &sizes, nullptr));
  attn_gradient_tiles *tiles = nullptr;
  ASSERT_OK(attn_gradient_find_tiles(gradient.get(), &sizes, &capture, 1,
                                     nullptr, &tiles));
  attn_gradient_tiles_retain(tiles);
  attn_gradient_tiles_release(tiles);
  Backward b(documentsMod, 1, 70, {capture});
  ASSERT_OK(attn_gradient_run(gradient.get(), &b.back));
  std::vector<float> expected = b.gradKey.data;
  b.back.tiles = tiles;
  ASSERT_OK(attn_gradient_run(gradient.get(), &b.back));
  EXPECT_EQ(b.gradKey.data, expected);
  attn_gradient_tiles_release(tiles);
}
