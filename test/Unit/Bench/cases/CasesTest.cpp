// The product of the axes: what decoding and dynamic shapes make of it.
#include "cases/Cases.h"
#include "cases/Repeat.h"

#include <gtest/gtest.h>

using namespace attn;
using namespace attn::bench;

namespace {
const char *const causal =
    "attn.mod @causal mask(%b: i32, %h: i32, %q: i32, %kv: i32) {\n"
    "  %keep = arith.cmpi sge, %q, %kv : i32\n"
    "  attn.yield %keep : i1\n"
    "}\n";

class Cases : public ::testing::Test {
protected:
  Cases() {
    config.batches = {2};
    config.heads = {{4, 2}};
    config.lengths = {{64, 64}};
    config.dims = {{16, 16}};
    config.decoding = true;
  }
  const std::vector<Case> &list() {
    Result<Mod> mod = Mod::fromSource(causal, "causal.mlir");
    EXPECT_TRUE(mod) << mod.error();
    if (mod && config.decoding)
      mod = mod->withQueryOffset(config.keyLengths.empty()
                                     ? QueryOffset::Scalar
                                     : QueryOffset::PerBatch);
    if (mod && !config.keyLengths.empty())
      mod = mod->withLengths();
    mods = {{"causal", "causal.mlir", *mod}};
    Result<std::vector<Case>> listed = listCases(config, mods, notes);
    EXPECT_TRUE(listed) << listed.error();
    return cases = *listed;
  }
  std::vector<std::string> shapes() {
    std::vector<std::string> shapes;
    for (const Case &item : list())
      shapes.push_back(item.shape);
    return shapes;
  }

  Config config;
  std::vector<LoadedMod> mods;
  std::vector<std::string> notes;
  std::vector<Case> cases;
};

using Names = std::vector<std::string>;

TEST_F(Cases, QueriesStandInTheMiddleOrWhereTheyFit) {
  config.decodingQueries = {1, 4, 40, 65};
  ASSERT_EQ(list().size(), 4u);
  EXPECT_EQ(cases[0].queryOffset, 32);
  EXPECT_EQ(cases[1].queryOffset, 32);
  EXPECT_EQ(cases[2].queryOffset, 24);
  EXPECT_EQ(cases[2].refusal, "");
  EXPECT_EQ(cases[3].refusal,
            "unsupported: 65 queries do not fit into 64 keys");
  EXPECT_EQ(cases[1].shape, "(2,4,4,2,64,16)");
}

TEST_F(Cases, LengthsPutTheQueriesAtTheirEnd) {
  config.keyLengths = {
      KeyLengths(), {KeyLengths::Range{1, 64}}, {KeyLengths::Range{1, 65}}};
  config.decodingQueries = {4};
  config.seed = 3;
  EXPECT_EQ(shapes(),
            (Names{"(2,4,4,2,64,16) full", "(2,4,4,2,64,16) uniform:1,64",
                   "(2,4,4,2,64,16) uniform:1,65"}));
  EXPECT_EQ(cases[0].keyLengths, (std::vector<int32_t>{64, 64}));
  EXPECT_EQ(queryOffsetOf(cases[0], 1), 60);
  const Case &ragged = cases[1];
  Result<std::vector<CaptureData>> captures = makeCaptures(ragged);
  ASSERT_TRUE(captures) << captures.error();
  ASSERT_EQ(captures->size(), mods[0].mod.captures().size());
  for (int64_t b : {0, 1}) {
    EXPECT_EQ(queryOffsetOf(ragged, b), ragged.keyLengths[b] - 4);
    auto numberIn = [&](size_t capture) {
      return reinterpret_cast<const int32_t *>(
          (*captures)[capture].bytes.data())[b];
    };
    const std::vector<CaptureInfo> &infos = mods[0].mod.captures();
    ASSERT_TRUE(infos[0].isQueryOffset && infos[1].isLengths);
    EXPECT_EQ(numberIn(0), ragged.keyLengths[b] - 4);
    EXPECT_EQ(numberIn(1), ragged.keyLengths[b]);
  }
  EXPECT_EQ(cases[2].refusal,
            "unsupported: lengths of up to 65 do not fit into 64 keys");
}

TEST_F(Cases, ACacheHasABatchOfItsSize) {
  config.kvSizes = {1};
  config.lengths = {{4096, 4096}};
  config.pageSizes = {16};
  config.keyLengths = {KeyLengths()};
  // 2 heads of 4096 keys and values of 16 channels of bf16: half a MiB.
  EXPECT_EQ(shapes(), Names{"(2,4,1,2,4096,16) full pages of 16"});
  Case inPages = cases[0];
  config.pageSizes = {};
  list();
  EXPECT_EQ(bytesNeeded(inPages, Target::CUDA) -
                bytesNeeded(cases[0], Target::CUDA),
            1 << 20);
}

TEST_F(Cases, ACommandRepeatsEach) {
  config.keyLengths = {{KeyLengths::Range{1, 64}}};
  config.decodingQueries = {4};
  config.pageSizes = {16};
  config.seed = 7;
  std::string command = repeatCommands(config, list(), Target::CPU)[0];
  for (const char *flag :
       {" --decoding ", " --decoding-queries 4 ", " --lengths uniform:1,64 ",
        " --page-size 16 ", " --seed 7", " -s 64 "})
    EXPECT_NE((command + " ").find(flag), std::string::npos) << command;
}

TEST_F(Cases, DynamicLengthsAlternateWithinAKernel) {
  config.decoding = false;
  config.dynamic = true;
  config.batches = {1, 2};
  config.dims = {{16, 16}, {32, 32}};
  config.lengths = {{8, 8}, {16, 16}, {32, 32}};
  EXPECT_EQ(shapes(),
            (Names{"(1,4,8,2,8,16)", "(1,4,32,2,32,16)", "(1,4,16,2,16,16)",
                   "(2,4,8,2,8,16)", "(2,4,32,2,32,16)", "(2,4,16,2,16,16)",
                   "(1,4,8,2,8,32)", "(1,4,32,2,32,32)", "(1,4,16,2,16,32)",
                   "(2,4,8,2,8,32)", "(2,4,32,2,32,32)", "(2,4,16,2,16,32)"}));
  config.dynamic = false;
  EXPECT_EQ(shapes()[1], "(1,4,8,2,8,32)"); // in the seed's order
}
} // namespace
