// Structures: their layout, their sizes, and numbers that cannot be.
#include "Fixtures.h"

#include <cstddef>
#include <limits>

// The binary interface of version 0: whoever changes one of these breaks every
// program that is compiled. New members go behind the last.
static_assert(ATTN_ABI_VERSION == 0);
static_assert(sizeof(attn_sizes) == 72);
static_assert(offsetof(attn_sizes, sequences) == 64);
static_assert(sizeof(attn_tensor) == 80);
static_assert(offsetof(attn_tensor, strides) == 56);
static_assert(sizeof(attn_capture) == 40);
static_assert(offsetof(attn_capture, strides) == 32);
static_assert(sizeof(attn_capture_info) == 40);
static_assert(offsetof(attn_capture_info, is_lengths) == 32);
static_assert(sizeof(attn_spec) == 112);
static_assert(offsetof(attn_spec, shares) == 104);
static_assert(sizeof(attn_starts) == 24);
static_assert(sizeof(attn_arguments) == 120);
static_assert(offsetof(attn_arguments, workspace_bytes) == 112);
static_assert(sizeof(attn_gradient_arguments) == 152);
static_assert(offsetof(attn_gradient_arguments, workspace_bytes) == 144);
static_assert(sizeof(attn_merge_spec) == 48);
static_assert(offsetof(attn_merge_spec, lse) == 40);
static_assert(sizeof(attn_part) == 24);
static_assert(sizeof(attn_merge_arguments) == 56);
static_assert(offsetof(attn_merge_arguments, stream) == 48);
static_assert(sizeof(attn_append_spec) == 56);
static_assert(offsetof(attn_append_spec, checked) == 48);
static_assert(sizeof(attn_append_arguments) == 72);
static_assert(offsetof(attn_append_arguments, stream) == 64);

TEST(Values, TypesHaveNamesAndWidths) {
  EXPECT_STREQ(attn_type_name(ATTN_BF16), "bf16");
  EXPECT_STREQ(attn_type_name(ATTN_BOOL), "i1");
  EXPECT_EQ(attn_type_bytes(ATTN_BF16), 2);
  EXPECT_EQ(attn_type_bytes(ATTN_BOOL), 1);
  for (attn_type none : {0, ATTN_BOOL + 1, -1, INT32_MAX, INT32_MIN}) {
    EXPECT_STREQ(attn_type_name(none), "");
    EXPECT_EQ(attn_type_bytes(none), 0);
  }
}

TEST(Values, StructuresOfAnotherSizeAreRefused) {
  Owned<attn_mod> mod = modOf(plainMod);
  attn_sizes sizes = sizesOf(1, 1, 16);
  for (size_t size : {size_t(0), size_t(8), sizeof sizes - 1, size_t(4097),
                      std::numeric_limits<size_t>::max()}) {
    sizes.size = size;
    EXPECT_FAILS(ATTN_INVALID_CALL,
                 "expects 'sizes' with a size of 72 bytes, got " +
                     std::to_string(size),
                 attn_mod_check(mod.get(), &sizes, nullptr, 0));
  }
}

TEST(Values, LaterStructuresAreTakenUnlessTheySayMore) {
  Owned<attn_mod> mod = modOf(plainMod);
  struct Later {
    attn_sizes now;
    int64_t more;
  } later{sizesOf(1, 1, 16), 0};
  later.now.size = sizeof later;
  EXPECT_OK(attn_mod_check(mod.get(), &later.now, nullptr, 0));
  later.more = 1;
  EXPECT_FAILS(ATTN_INVALID_CALL,
               "expects nothing in 'sizes' that attn 0.1.0 does not know",
               attn_mod_check(mod.get(), &later.now, nullptr, 0));
}

TEST(Values, ResultsAreWrittenWithinTheirSize) {
  Owned<attn_mod> mod = modOf(biasMod);
  attn_capture_info info{};
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects 'info' with a size of 40 bytes",
               attn_mod_capture(mod.get(), 0, &info));
  struct Later {
    attn_capture_info now;
    int64_t more;
  } later{{}, 7};
  later.now.size = sizeof later;
  EXPECT_OK(attn_mod_capture(mod.get(), 0, &later.now));
  EXPECT_STREQ(later.now.name, "table");
  EXPECT_EQ(later.more, 7);
  EXPECT_EQ(later.now.size, sizeof later);
}

/// Numbers that no size can be, or that overflow with others.
static const int64_t absurd[] = {-1,
                                 std::numeric_limits<int64_t>::min(),
                                 std::numeric_limits<int64_t>::max(),
                                 int64_t(1) << 31,
                                 int64_t(1) << 40,
                                 int64_t(1) << 62};

/// The numbers of sizes, one by one.
static std::vector<int64_t *> numbersOf(attn_sizes &s) {
  return {&s.batch, &s.heads,    &s.kv_heads,  &s.queries,
          &s.keys,  &s.head_dim, &s.value_dim, &s.sequences};
}

TEST(Values, AbsurdSizesAreRefused) {
  Owned<attn_mod> mod = modOf(plainMod);
  for (size_t i = 0; i < 8; ++i)
    for (int64_t number : absurd) {
      attn_sizes sizes = sizesOf(1, 1, 16);
      *numbersOf(sizes)[i] = number;
      EXPECT_FAILS(ATTN_INVALID_CALL, "numbers from 0 to 2^31 - 1, got",
                   attn_mod_check(mod.get(), &sizes, nullptr, 0));
    }
  attn_sizes sizes = sizesOf(1 << 16, 1 << 16, 1);
  EXPECT_FAILS(ATTN_INVALID_CALL, "fewer than 2^31 heads of all batches",
               attn_mod_check(mod.get(), &sizes, nullptr, 0));
  sizes = sizesOf(1 << 10, 1 << 10, INT32_MAX);
  EXPECT_FAILS(ATTN_INVALID_CALL, "at most 2^40 rows",
               attn_mod_check(mod.get(), &sizes, nullptr, 0));
}

TEST(Values, AbsurdSpecsAreRefused) {
  Owned<attn_mod> mod = modOf(plainMod);
  attn_spec spec = cpuSpec();
  spec.target = 0;
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects an attn_target",
               attn_kernel_check(mod.get(), &spec));
  spec = cpuSpec(), spec.type = 11;
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects an attn_type",
               attn_kernel_check(mod.get(), &spec));
  spec = cpuSpec(), spec.type = ATTN_I32;
  EXPECT_EQ(attn_kernel_check(mod.get(), &spec), ATTN_ERROR);
  for (int64_t number : absurd) {
    spec = cpuSpec(), spec.head_dim = number;
    EXPECT_EQ(attn_kernel_check(mod.get(), &spec), ATTN_ERROR) << number;
    spec = cpuSpec(), spec.value_dim = number;
    EXPECT_EQ(attn_kernel_check(mod.get(), &spec), ATTN_ERROR) << number;
    spec = cpuSpec(), spec.shares = number;
    EXPECT_FAILS(ATTN_INVALID_CALL, "expects 'spec' with 0 to 65536 shares",
                 attn_kernel_check(mod.get(), &spec));
  }
  spec = cpuSpec(), spec.schedule = "nonsense <";
  EXPECT_EQ(attn_kernel_check(mod.get(), &spec), ATTN_ERROR);
  spec = cpuSpec(), spec.head_dim = 0;
  EXPECT_EQ(attn_kernel_check(mod.get(), &spec), ATTN_ERROR);
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects 'spec', got NULL",
               attn_kernel_check(mod.get(), nullptr));
}

TEST(Values, CapturesAreReadAsFarAsTheyAre) {
  Owned<attn_mod> mod = modOf(biasMod);
  attn_sizes sizes = sizesOf(1, 2, 16);
  const float table[2] = {1, 2}, factor = 3;
  std::vector<int64_t> two{2};
  attn_capture captures[] = {captureOf(table, ATTN_F32, two),
                             captureOf(&factor, ATTN_F32)};
  auto check = [&](size_t count = 2) {
    return attn_mod_check(mod.get(), &sizes, captures, count);
  };
  EXPECT_OK(check());
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects 2 captures, got 1", check(1));
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects 2 captures, got", check(SIZE_MAX));
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects 'captures', got NULL",
               attn_mod_check(mod.get(), &sizes, nullptr, 2));
  captures[1].size = 48;
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects captures of one size", check());
  captures[1].size = sizeof(attn_capture);
  captures[0].rank = 2;
  const int64_t many[] = {2, 2};
  captures[0].sizes = many;
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects capture 'table' of rank 1, got 2",
               check());
  captures[0].rank = -1;
  EXPECT_FAILS(ATTN_INVALID_CALL, "of a rank from 0 to 64, got -1", check());
  captures[0].rank = INT32_MAX;
  EXPECT_FAILS(ATTN_INVALID_CALL, "of a rank from 0 to 64", check());
  captures[0] = captureOf(table, ATTN_F32, two), captures[0].sizes = nullptr;
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects sizes of 'table', got NULL",
               check());
  captures[0] = captureOf(table, 99, two);
  EXPECT_FAILS(ATTN_INVALID_CALL, "expects an attn_type of 'table', got 99",
               check());
  captures[0] = captureOf(table, ATTN_F16, two);
  EXPECT_FAILS(ATTN_ERROR, "expects capture 'table' of f32, got f16", check());
  captures[0] = captureOf(nullptr, ATTN_F32, two);
  EXPECT_FAILS(ATTN_ERROR, "expects memory for capture 'table'", check());
}
