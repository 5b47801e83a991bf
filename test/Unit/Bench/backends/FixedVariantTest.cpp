// What a library with fixed variants is asked for.
#include "backends/FixedVariant.h"

#include <gtest/gtest.h>

using namespace attn;
using namespace attn::bench;

namespace {
/// Memory of keys and values: 2 heads of 4096 rows, of 64 channels of bf16.
char memory[2 * 4096 * 64 * 2];

Problem problemOf(const std::string &pattern, int64_t queryOffset = 0,
                  int64_t queries = 1) {
  Problem problem;
  problem.sizes.queries = queries;
  problem.pattern = pattern;
  problem.queryOffset = queryOffset;
  problem.sizes.keys = 4096;
  problem.key.data = problem.value.data = memory;
  problem.key.type = problem.value.type = ElementType::BF16;
  problem.key.sizes = problem.value.sizes = {1, 2, 4096, 64};
  problem.key.strides = problem.value.strides = {0, 64, 128};
  return problem;
}

FixedVariant variantOf(const Problem &problem) {
  Result<FixedVariant> variant = fixedVariantOf(problem);
  EXPECT_TRUE(variant) << problem.pattern << ": " << variant.error();
  return variant ? *variant : FixedVariant();
}

TEST(FixedVariant, Windows) {
  EXPECT_EQ(variantOf(problemOf("sliding_window")).window, 513);
  EXPECT_EQ(variantOf(problemOf("sliding_window_128")).window, 128);
  FixedVariant both = variantOf(problemOf("softcap_sliding_window_4096"));
  EXPECT_EQ(both.window, 4096);
  EXPECT_EQ(both.softcap, 50);
  EXPECT_TRUE(both.causal);
  EXPECT_EQ(variantOf(problemOf("causal")).window, 0);
}

TEST(FixedVariant, OthersAreRefused) {
  for (const char *pattern :
       {"rel", "head_bias", "prefix_lm", "document_mask", "./causal.mlir",
        "sliding_window_", "sliding_window_12x", "softcap_causal"})
    EXPECT_FALSE(fixedVariantOf(problemOf(pattern))) << pattern;
}

/// The keys that a query at 3000 is given.
std::pair<int64_t, int64_t> keysOf(const std::string &pattern,
                                   int64_t position = 3000) {
  FixedVariant variant = variantOf(problemOf(pattern, position));
  EXPECT_FALSE(variant.causal);
  EXPECT_EQ(variant.window, 0);
  int64_t bytes = static_cast<char *>(variant.value.data) - memory;
  EXPECT_EQ(variant.key.sizes[2], variant.value.sizes[2]);
  return {bytes / (128 * 2), variant.key.sizes[2]};
}

TEST(FixedVariant, ADecodedQueryGetsTheKeysItSees) {
  using Keys = std::pair<int64_t, int64_t>;
  EXPECT_EQ(keysOf("causal"), Keys(0, 3001));
  EXPECT_EQ(keysOf("softcap"), Keys(0, 3001));
  EXPECT_EQ(keysOf("sliding_window"), Keys(2488, 513));
  EXPECT_EQ(keysOf("sliding_window", 100), Keys(0, 101));
  EXPECT_EQ(keysOf("prefix_lm", 100), Keys(0, 512));
  EXPECT_EQ(keysOf("noop"), Keys(0, 4096));
  EXPECT_FALSE(fixedVariantOf(problemOf("alibi", 3000)));
}

TEST(FixedVariant, SeveralQueriesCountFromTheLastKey) {
  FixedVariant variant = variantOf(problemOf("causal", 3000, 4));
  EXPECT_TRUE(variant.causal && variant.atEnd);
  EXPECT_EQ(variant.key.sizes[2], 3004);
  variant = variantOf(problemOf("sliding_window", 3000, 4));
  EXPECT_TRUE(variant.causal && variant.atEnd);
  EXPECT_EQ(variant.window, 513);
  EXPECT_EQ(variant.key.sizes[2], 513 + 3); // what the first and the last see
  EXPECT_FALSE(variantOf(problemOf("noop", 3000, 4)).causal);
  EXPECT_FALSE(fixedVariantOf(problemOf("prefix_lm", 3000, 4)));
}

TEST(FixedVariant, ACacheWithLengthsIsGivenWhole) {
  KeyCache cache;
  cache.lengths = {1000};
  auto cached = [&](const std::string &pattern, int64_t queries) {
    Problem problem = problemOf(pattern, 0, queries);
    problem.cache = &cache;
    return problem;
  };
  for (const char *pattern : {"causal", "noop", "sliding_window", "softcap"}) {
    FixedVariant variant = variantOf(cached(pattern, 1));
    EXPECT_EQ(variant.key.data, memory) << pattern;
    EXPECT_EQ(variant.key.sizes[2], 4096) << pattern;
    EXPECT_EQ(variant.causal, variant.window != 0) << pattern;
  }
  EXPECT_TRUE(variantOf(cached("causal", 4)).causal);
  EXPECT_TRUE(variantOf(cached("causal", 4)).atEnd);
  EXPECT_EQ(variantOf(cached("sliding_window", 1)).window, 513);
  for (const char *pattern : {"prefix_lm", "alibi", "rel"})
    EXPECT_FALSE(fixedVariantOf(cached(pattern, 1))) << pattern;
}
} // namespace
