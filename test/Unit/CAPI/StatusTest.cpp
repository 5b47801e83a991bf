// Statuses, error texts and versions; calls with NULL everywhere.
#include "Fixtures.h"

#include <thread>

TEST(Status, VersionsAreThoseOfTheHeader) {
  EXPECT_EQ(attn_abi_version(), ATTN_ABI_VERSION);
  EXPECT_STREQ(attn_version(), "0.1.0");
}

TEST(Status, EveryThreadHasItsText) {
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects 'path', got NULL", [] {
    attn_mod *mod;
    return attn_mod_from_file(nullptr, &mod);
  }());
  std::thread([] { EXPECT_STREQ(attn_error_text(), ""); }).join();
  EXPECT_STREQ(attn_error_text(), "expects 'path', got NULL");
}

TEST(Status, TextStaysUntilTheNextFailure) {
  attn_mod *mod = nullptr;
  EXPECT_FAILS(ATTN_ERROR, "cannot be read",
               attn_mod_from_file("/nonexistent", &mod));
  EXPECT_EQ(mod, nullptr);
  modOf(plainMod);
  EXPECT_NE(std::string(attn_error_text()).find("/nonexistent"),
            std::string::npos);
}

TEST(Status, NullObjectsAreRefusedInWords) {
  attn_sizes sizes = sizesOf(1, 1, 16);
  attn_spec spec = cpuSpec();
  attn_mod *mod;
  attn_captures *captures;
  attn_kernel *kernel;
  attn_tiles *tiles;
  attn_gradient *gradient;
  attn_gradient_tiles *gradientTiles;
  int64_t bytes;
  const attn_status statuses[] = {
      attn_mod_from_file("x", nullptr),
      attn_mod_from_source(nullptr, "x", &mod),
      attn_mod_from_source("x", nullptr, &mod),
      attn_mod_from_source("x", "x", nullptr),
      attn_mod_capture(nullptr, 0, nullptr),
      attn_mod_with_query_offset(nullptr, ATTN_OFFSET_SCALAR, &mod),
      attn_mod_with_query_offset(nullptr, ATTN_OFFSET_SCALAR, nullptr),
      attn_mod_with_lengths(nullptr, &mod),
      attn_mod_with_lengths(nullptr, nullptr),
      attn_mod_make_captures(nullptr, &sizes, &captures),
      attn_mod_make_captures(nullptr, &sizes, nullptr),
      attn_captures_get(nullptr, 0, nullptr),
      attn_mod_check(nullptr, &sizes, nullptr, 0),
      attn_kernel_compile(nullptr, &spec, &kernel),
      attn_kernel_compile(nullptr, &spec, nullptr),
      attn_kernel_check(nullptr, &spec),
      attn_kernel_run(nullptr, nullptr),
      attn_kernel_prepare(nullptr, &sizes, nullptr),
      attn_kernel_workspace_bytes(nullptr, &sizes, nullptr, &bytes),
      attn_kernel_workspace_bytes(nullptr, &sizes, nullptr, nullptr),
      attn_kernel_find_tiles(nullptr, &sizes, nullptr, 0, nullptr, nullptr,
                             &tiles),
      attn_kernel_find_tiles(nullptr, &sizes, nullptr, 0, nullptr, nullptr,
                             nullptr),
      attn_gradient_compile(nullptr, &spec, nullptr, 0, &gradient),
      attn_gradient_compile(nullptr, &spec, nullptr, 0, nullptr),
      attn_gradient_run(nullptr, nullptr),
      attn_gradient_prepare(nullptr, &sizes, nullptr),
      attn_gradient_prepare_like(nullptr, nullptr),
      attn_gradient_workspace_bytes(nullptr, &sizes, nullptr, nullptr, 0,
                                    &bytes),
      attn_gradient_workspace_bytes(nullptr, &sizes, nullptr, nullptr, 0,
                                    nullptr),
      attn_gradient_find_tiles(nullptr, &sizes, nullptr, 0, nullptr,
                               &gradientTiles),
      attn_gradient_find_tiles(nullptr, &sizes, nullptr, 0, nullptr, nullptr)};
  for (size_t i = 0; i < std::size(statuses); ++i)
    EXPECT_EQ(statuses[i], ATTN_INVALID_CALL) << "call " << i;
}

TEST(Status, NullObjectsHaveNothing) {
  EXPECT_STREQ(attn_mod_name(nullptr), "");
  EXPECT_EQ(attn_mod_has_score(nullptr), 0);
  EXPECT_EQ(attn_mod_has_mask(nullptr), 0);
  EXPECT_EQ(attn_mod_folds_batch(nullptr), 0);
  EXPECT_EQ(attn_mod_capture_count(nullptr), 0u);
  EXPECT_EQ(attn_captures_count(nullptr), 0u);
  EXPECT_EQ(attn_tiles_bytes(nullptr), 0);
  EXPECT_EQ(attn_kernel_needs_tiles(nullptr), 0);
  EXPECT_EQ(attn_kernel_query_tile(nullptr), 0);
  EXPECT_EQ(attn_kernel_key_tile(nullptr), 0);
  EXPECT_EQ(attn_kernel_compile_seconds(nullptr), 0);
  EXPECT_STREQ(attn_kernel_schedule(nullptr), "");
  EXPECT_EQ(attn_gradient_compile_seconds(nullptr), 0);
  EXPECT_STREQ(attn_gradient_schedule(nullptr), "");
}

TEST(Status, NullIsRetainedAndReleasedForNothing) {
  attn_mod_retain(nullptr), attn_mod_release(nullptr);
  attn_captures_retain(nullptr), attn_captures_release(nullptr);
  attn_tiles_retain(nullptr), attn_tiles_release(nullptr);
  attn_kernel_retain(nullptr), attn_kernel_release(nullptr);
  attn_gradient_retain(nullptr), attn_gradient_release(nullptr);
  attn_gradient_tiles_retain(nullptr), attn_gradient_tiles_release(nullptr);
}
