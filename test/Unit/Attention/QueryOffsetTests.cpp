// Queries that stand at other positions than their rows: mods of all kinds
// (runs, lists, tables read at the query, scores), with one offset for all and
// with one for each batch, against an oracle whose positions are moved.
#include "Harness.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace attn;
using namespace attn::test;

namespace {

struct Offsets {
  const char *name;
  QueryOffset kind;
  std::vector<int32_t> values; ///< one, or one for each batch
  int32_t of(int b) const { return values.size() == 1 ? values[0] : values[b]; }
};

const Offsets offsets[] = {
    {"Zero", QueryOffset::Scalar, {0}},
    {"InTheMiddle", QueryOffset::Scalar, {333}},
    {"BehindAllKeys", QueryOffset::Scalar, {900}},
    {"BottomRight", QueryOffset::Scalar, {-37}},
    {"PerBatch", QueryOffset::PerBatch, {601, 7}},
    {"PerBatchNegative", QueryOffset::PerBatch, {-100, 0}},
};

/// `oracle` with its queries moved.
Oracle moved(const Oracle &oracle, const Offsets &offset) {
  Oracle result;
  if (oracle.score)
    result.score = [=](double s, int b, int h, int q, int kv) {
      return oracle.score(s, b, h, q + offset.of(b), kv);
    };
  if (oracle.mask)
    result.mask = [=](int b, int h, int q, int kv) {
      return oracle.mask(b, h, q + offset.of(b), kv);
    };
  return result;
}

/// Runs `mod` with the offset; `captures` are the mod's own.
void runAt(Case c, const Mod &mod, const Offsets &offset, const Oracle &oracle,
           std::vector<CaptureData> captures) {
  Result<Mod> shifted = mod.withQueryOffset(offset.kind);
  ASSERT_TRUE(shifted) << shifted.error();
  CaptureData values{ElementType::I32, {}, {}};
  if (offset.kind == QueryOffset::PerBatch)
    values.sizes = {c.sizes.batch};
  values.bytes.resize(offset.values.size() * sizeof(int32_t));
  std::memcpy(values.bytes.data(), offset.values.data(), values.bytes.size());
  captures.push_back(values);
  runAndCompare(c, *shifted, moved(oracle, offset), makeInputs(c), captures);
}

class QueryOffsets : public testing::TestWithParam<Offsets> {
protected:
  Case small() {
    Case c;
    c.sizes = {2, 2, 1, 70, 650, 64, 64, 2};
    return c;
  }
};

TEST_P(QueryOffsets, OfPatterns) {
  bool isWide = GetParam().values[0] % 2; // of each offset half of the pairs
  for (const char *pattern :
       {"noop", "causal", "alibi", "sliding_window", "prefix_lm", "softcap"}) {
    isWide = !isWide;
    SCOPED_TRACE(pattern);
    Case c = small();
    c.pattern = pattern;
    c.type = isWide ? ElementType::F32 : ElementType::BF16;
    Result<Mod> mod = loadPattern(pattern);
    ASSERT_TRUE(mod) << mod.error();
    Result<std::vector<CaptureData>> captures = mod->makeCaptures(c.sizes);
    ASSERT_TRUE(captures) << captures.error();
    runAt(c, *mod, GetParam(), oracleOf(pattern, c.sizes, *captures),
          *captures);
  }
}

TEST_P(QueryOffsets, OfListsAndTables) {
  // Tiles that are no run, a table at the moved query, another at its own row.
  Result<Mod> mod = Mod::fromSource(R"(
attn.mod @m(%ids: tensor<?xi32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %zero = arith.constant 0 : i32
    %p = arith.maxsi %q, %zero : i32
    %i = attn.load %ids[%p] : tensor<?xi32>
    %x = arith.sitofp %i : i32 to f32
    %t = arith.addf %s, %x : f32
    attn.yield %t : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %c192 = arith.constant 192 : i32
    %c64 = arith.constant 64 : i32
    %d = arith.subi %q, %kv : i32
    %r = arith.remsi %d, %c192 : i32
    %a = math.absi %r : i32
    %keep = arith.cmpi slt, %a, %c64 : i32
    attn.yield %keep : i1
  })",
                                    "mod.mlir");
  ASSERT_TRUE(mod) << mod.error();
  std::vector<int32_t> ids(1000);
  for (size_t i = 0; i < ids.size(); ++i)
    ids[i] = static_cast<int32_t>(i % 7);
  CaptureData table{ElementType::I32, {1000}, {}};
  table.bytes.resize(ids.size() * sizeof(int32_t));
  std::memcpy(table.bytes.data(), ids.data(), table.bytes.size());
  Oracle oracle;
  oracle.score = [&](double s, int, int, int q, int) {
    return s + ids[std::max(q, 0)];
  };
  oracle.mask = [](int, int, int q, int kv) {
    return std::abs((q - kv) % 192) < 64;
  };
  Case c = small();
  for (ElementType type : {ElementType::F32, ElementType::BF16}) {
    c.type = type;
    runAt(c, *mod, GetParam(), oracle, {table});
  }
}

INSTANTIATE_TEST_SUITE_P(All, QueryOffsets, testing::ValuesIn(offsets),
                         [](const auto &info) { return info.param.name; });

TEST(QueryOffset, IsOneMoreCaptureAndOnlyOne) {
  Result<Mod> mod = loadPattern("alibi");
  ASSERT_TRUE(mod) << mod.error();
  Result<Mod> shifted = mod->withQueryOffset(QueryOffset::PerBatch);
  ASSERT_TRUE(shifted) << shifted.error();
  EXPECT_EQ(mod->captures().size() + 1, shifted->captures().size());
  const CaptureInfo &info = shifted->captures().back();
  EXPECT_EQ(info.name, "query_offset");
  EXPECT_TRUE(info.isQueryOffset);
  EXPECT_FALSE(info.isScalar);
  EXPECT_FALSE(shifted->captures().front().isQueryOffset);
  ProblemSizes sizes{3, 2, 1, 5, 7, 64, 64, 3};
  Result<std::vector<CaptureData>> data = shifted->makeCaptures(sizes);
  ASSERT_TRUE(data) << data.error();
  EXPECT_EQ(data->back().sizes, std::vector<int64_t>{3});
  EXPECT_EQ(data->back().bytes, std::vector<std::byte>(12));
  Result<Mod> twice = shifted->withQueryOffset(QueryOffset::Scalar);
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error(),
            "expects mod '@alibi' without a query offset: it has one");
}

TEST(QueryOffset, IsCheckedLikeOtherCaptures) {
  Result<Mod> mod = Mod::fromSource(R"(
attn.mod @m(%t: tensor<?xi1>)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = attn.load %t[%q] : tensor<?xi1>
    attn.yield %keep : i1
  })",
                                    "mod.mlir");
  ASSERT_TRUE(mod) << mod.error();
  Result<Mod> shifted = mod->withQueryOffset(QueryOffset::Scalar);
  ASSERT_TRUE(shifted) << shifted.error();
  std::vector<uint8_t> table(10);
  int32_t offset = 5;
  std::vector<CaptureView> views{{table.data(), {10}}, {&offset, {}}};
  ProblemSizes sizes{1, 1, 1, 5, 7, 64, 64, 1};
  EXPECT_TRUE(shifted->check(sizes, views));
  offset = 6;
  Result<void> outside = shifted->check(sizes, views);
  ASSERT_FALSE(outside);
  EXPECT_NE(outside.error().find("reads index 10 of dimension 0"),
            std::string::npos)
      << outside.error();
}

TEST(QueryOffset, HasAnEntryForEachBatch) {
  Result<Mod> mod = loadPattern("causal");
  ASSERT_TRUE(mod) << mod.error();
  Result<Mod> shifted = mod->withQueryOffset(QueryOffset::PerBatch);
  ASSERT_TRUE(shifted) << shifted.error();
  KernelSpec spec;
  spec.headDim = spec.valueDim = 16;
  Result<AttentionKernel> kernel = AttentionKernel::compile(*shifted, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  std::vector<float> memory(3 * 16);
  TensorView view;
  view.data = memory.data();
  view.sizes = {3, 1, 1, 16};
  view.strides = {16, 16, 16};
  std::vector<int32_t> offsets(2);
  Result<void> ran =
      kernel->run(view, view, view, {{offsets.data(), {2}}}, view);
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error(), "expects 'query_offset' batch size 3, got 2");
}

} // namespace
