// Which keys are read, for the bytes that must move.
#include "cases/Work.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace attn;
using namespace attn::bench;

namespace {
/// Of a causal mask, as in decoding, whose first query is at `offset`.
double keysRead(ProblemSizes sizes, int32_t offset) {
  Result<Mod> mod = Mod::fromSource(
      "attn.mod @causal mask(%b: i32, %h: i32, %q: i32, %kv: i32) {\n"
      "  %keep = arith.cmpi sge, %q, %kv : i32\n"
      "  attn.yield %keep : i1\n"
      "}\n",
      "causal.mlir");
  EXPECT_TRUE(mod) << mod.error();
  Result<Mod> decoding = mod->withQueryOffset(QueryOffset::Scalar);
  EXPECT_TRUE(decoding) << decoding.error();
  Result<std::vector<CaptureData>> captures = decoding->makeCaptures(sizes);
  EXPECT_TRUE(captures) << captures.error();
  std::memcpy(captures->back().bytes.data(), &offset, sizeof offset);
  WorkCounter work;
  Result<double> keys =
      work.countKeysRead(*decoding, sizes, *captures,
                         double(sizes.batch) * sizes.kvHeads * sizes.keys);
  EXPECT_TRUE(keys) << keys.error();
  return *keys;
}

TEST(Work, OneQueryReadsTheKeysThatItSees) {
  // Batch 1, 4 heads on 2.
  EXPECT_EQ(keysRead({1, 4, 2, 1, 1000, 64, 64}, 500), 2 * 501);
}

TEST(Work, AFewQueriesReadThoseOfTheirTiles) {
  // 504 keys, in tiles of 16.
  EXPECT_EQ(keysRead({1, 4, 2, 4, 1000, 64, 64}, 500), 2 * 512);
  EXPECT_EQ(keysRead({3, 4, 2, 64, 1000, 64, 64}, 930), 3 * 2 * 1000);
}

TEST(Work, OfManyQueriesAllKeysCount) {
  EXPECT_EQ(keysRead({1, 4, 2, 100, 1000, 64, 64}, 500), 2 * 1000);
  // No more than there are pairs.
  EXPECT_EQ(keysRead({1, 4, 2, 100, 1000, 64, 64}, -100 + 1), 4 * 1);
}
} // namespace
