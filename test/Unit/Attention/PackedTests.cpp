// Few queries of many heads: kernels whose rows are the (query, head) pairs of
// the heads that share keys, of any number of these, chosen or asked for.
#include "Harness.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

using namespace attn;
using namespace attn::test;

namespace {

constexpr double nan64 = std::numeric_limits<double>::quiet_NaN();

constexpr const char *patterns[] = {
    "noop",           "causal",        "rel",       "head_bias", "alibi",
    "sliding_window", "document_mask", "prefix_lm", "softcap"};
constexpr ElementType types[] = {ElementType::BF16, ElementType::F32,
                                 ElementType::F16};

/// The least tile of every target.
constexpr const char *sixteenRows =
    "#attn.schedule<tiling = <q = 16, kv = 32, pack>>";

struct Group {
  int64_t heads, queries; ///< that share keys; of each
};

/// Each with as many queries as a tile takes, fewer and more; in most of them
/// a tile begins or ends inside of a query.
constexpr Group groups[] = {{1, 1}, {1, 16}, {1, 37}, {2, 3},  {3, 11},
                            {5, 1}, {5, 12}, {7, 2},  {7, 9},  {8, 2},
                            {8, 5}, {16, 1}, {16, 4}, {64, 1}, {65, 2}};

Case caseOf(Group group, const char *pattern, ElementType type) {
  Case c;
  c.pattern = pattern;
  c.type = type;
  c.sizes = {2, 2 * group.heads, 2, group.queries, 77, 32, 32, 2};
  if (c.pattern == "document_mask")
    c.sizes.batch = 1, c.sizes.sequences = 3;
  return c;
}

/// Calls `run` for each group, with patterns and types in turn.
template <typename Run> void forEachGroup(Run run) {
  int number = 0;
  for (Group group : groups) {
    Case c = caseOf(group, patterns[number % 9], types[number % 3]);
    c.layout = number % 2 ? Layout::BSHD : Layout::BHSD;
    ++number;
    SCOPED_TRACE(c.name());
    run(c);
  }
}

/// Queries that are the last of their keys, as in decoding.
void runAtEnd(Case c, const std::string &pattern) {
  int offset = static_cast<int>(c.sizes.keys - c.sizes.queries);
  Result<Mod> mod = loadPattern(pattern);
  ASSERT_TRUE(mod) << mod.error();
  Result<std::vector<CaptureData>> captures = mod->makeCaptures(c.sizes);
  ASSERT_TRUE(captures) << captures.error();
  Oracle at = oracleOf(pattern, c.sizes, *captures), moved;
  if (at.score)
    moved.score = [=](double s, int b, int h, int q, int kv) {
      return at.score(s, b, h, q + offset, kv);
    };
  if (at.mask)
    moved.mask = [=](int b, int h, int q, int kv) {
      return at.mask(b, h, q + offset, kv);
    };
  Result<Mod> shifted = mod->withQueryOffset(QueryOffset::PerBatch);
  ASSERT_TRUE(shifted) << shifted.error();
  CaptureData offsets{ElementType::I32, {c.sizes.batch}, {}};
  std::vector<int32_t> values(c.sizes.batch, offset);
  offsets.bytes.resize(values.size() * sizeof(int32_t));
  std::memcpy(offsets.bytes.data(), values.data(), offsets.bytes.size());
  captures->push_back(offsets);
  runAndCompare(c, *shifted, moved, makeInputs(c), *captures);
}

Mod parse(const char *text) {
  Result<Mod> mod = Mod::fromSource(text, "test.mlir");
  EXPECT_TRUE(mod) << mod.error();
  return *mod;
}

} // namespace

TEST(Packed, AnyNumberOfHeadsSharesKeys) {
  forEachGroup([](Case c) { runPattern(c); });
}

// The same by one schedule, also where tiles would come from lists.
TEST(Packed, EveryPatternInTilesOf16Rows) {
  for (const char *pattern : patterns) {
    bool wide = false;
    for (Group group : {Group{3, 11}, Group{7, 5}}) {
      Case c = caseOf(group, pattern, types[wide]);
      wide = true;
      c.schedule = sixteenRows;
      SCOPED_TRACE(c.name());
      runPattern(c);
    }
  }
}

TEST(Packed, QueriesAtTheEndOfTheirKeys) {
  for (const char *pattern : {"causal", "alibi", "sliding_window", "softcap"}) {
    Case c = caseOf({4, 3}, pattern, ElementType::BF16);
    c.sizes.keys = 203;
    SCOPED_TRACE(c.name());
    runAtEnd(c, pattern);
  }
}

// All widths of heads, with an own one of values, in tiles of each size.
TEST(Packed, HeadsOfEveryWidth) {
  struct Widths {
    int64_t head, value;
  };
  int number = 0;
  for (Widths widths : {Widths{64, 64},
                        {96, 96},
                        {128, 128},
                        {192, 128},
                        {256, 256},
                        {24, 40},
                        {33, 7}}) {
    ++number;
    Case c = caseOf({number % 4 + 1, 8}, "causal", types[number % 2]);
    c.sizes.batch = 1;
    c.sizes.headDim = widths.head, c.sizes.valueDim = widths.value;
    SCOPED_TRACE(c.name());
    runPattern(c);
  }
}

// Rows that start anywhere: of queries, of heads and of the output.
TEST(Packed, RowsMayStartAnywhere) {
  for (ElementType type : types)
    for (Layout layout : {Layout::BHSD, Layout::BSHD}) {
      Case c = caseOf({3, 7}, "alibi", type);
      c.layout = layout;
      c.rowPadding = 3, c.offset = 5;
      SCOPED_TRACE(c.name());
      runPattern(c);
    }
}

// Which keys count differs from head to head, and a tile is of all of them.
TEST(Packed, MasksMayReadTheHead) {
  Mod mod = parse(R"(
    attn.mod @windows(%widths: tensor<?xi32>)
      mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
        %width = attn.load %widths[%h] : tensor<?xi32>
        %d = arith.subi %q, %kv : i32
        %near = arith.cmpi slt, %d, %width : i32
        %zero = arith.constant 0 : i32
        %past = arith.cmpi sge, %d, %zero : i32
        %keep = arith.andi %near, %past : i1
        attn.yield %keep : i1
      })");
  for (Group group : {Group{3, 40}, Group{7, 60}, Group{40, 1}}) {
    Case c = caseOf(group, "noop", ElementType::BF16);
    c.schedule = sixteenRows;
    std::vector<int32_t> widths(c.sizes.heads);
    for (size_t h = 0; h < widths.size(); ++h)
      widths[h] = static_cast<int32_t>(h % 4 == 3 ? 0 : 9 * h);
    CaptureData table{ElementType::I32, {c.sizes.heads}, {}};
    table.bytes.resize(widths.size() * sizeof(int32_t));
    std::memcpy(table.bytes.data(), widths.data(), table.bytes.size());
    Oracle oracle;
    oracle.mask = [&](int, int h, int q, int kv) {
      return q >= kv && q - kv < widths[h];
    };
    SCOPED_TRACE(c.name());
    runAndCompare(c, mod, oracle, makeInputs(c), {table});
  }
}

// A branch, tables read at the row's head and query, and what is computed of
// both.
TEST(Packed, ScoresMayBeOfTheRow) {
  Mod mod = parse(R"(
    attn.mod @rows(%table: tensor<?x?xf32>, %limit: i32)
      score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
        %near = arith.cmpi slt, %h, %limit : i32
        %t = scf.if %near -> f32 {
          %x = attn.load %table[%h, %q] : tensor<?x?xf32>
          %y = arith.addf %s, %x : f32
          scf.yield %y : f32
        } else {
          %p = arith.addi %q, %kv : i32
          %r = arith.remsi %p, %limit : i32
          %z = arith.sitofp %r : i32 to f32
          %y = arith.addf %s, %z : f32
          scf.yield %y : f32
        }
        attn.yield %t : f32
      })");
  for (ElementType type : types) {
    Case c = caseOf({5, 9}, "noop", type);
    int64_t queries = c.sizes.queries;
    std::vector<float> numbers(c.sizes.heads * queries);
    for (size_t i = 0; i < numbers.size(); ++i)
      numbers[i] = static_cast<float>(i % 11) / 4;
    CaptureData table{ElementType::F32, {c.sizes.heads, queries}, {}};
    table.bytes.resize(numbers.size() * sizeof(float));
    std::memcpy(table.bytes.data(), numbers.data(), table.bytes.size());
    int32_t seven = 7;
    CaptureData limit{ElementType::I32, {}, {}};
    limit.bytes.resize(sizeof(seven));
    std::memcpy(limit.bytes.data(), &seven, sizeof(seven));
    Oracle oracle;
    oracle.score = [&](double s, int, int h, int q, int kv) {
      return s + (h < 7 ? numbers[h * queries + q] : (q + kv) % 7);
    };
    SCOPED_TRACE(c.name());
    runAndCompare(c, mod, oracle, makeInputs(c), {table, limit});
  }
}

// Of a tile's rows some keep no key: theirs is zero.
TEST(Packed, RowsWithoutKeysAreZero) {
  Mod mod = parse(R"(
    attn.mod @odd_heads
      mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
        %one = arith.constant 1 : i32
        %zero = arith.constant 0 : i32
        %x = arith.addi %q, %h : i32
        %bit = arith.andi %x, %one : i32
        %keep = arith.cmpi ne, %bit, %zero : i32
        attn.yield %keep : i1
      })");
  Oracle oracle;
  oracle.mask = [](int, int h, int q, int) { return (q + h) % 2 == 1; };
  for (ElementType type : types) {
    Case c = caseOf({3, 7}, "noop", type);
    runAndCompare(c, mod, oracle, makeInputs(c), {});
  }
  Case none = caseOf({3, 7}, "alibi", ElementType::BF16);
  none.sizes.keys = 0;
  runPattern(none);
}

// Keys behind the last query are never kept by a causal mask.
TEST(Packed, NaNThatNoRowKeepsDoesNotLeak) {
  for (ElementType type : types) {
    Case c = caseOf({4, 9}, "causal", type);
    Inputs inputs = makeInputs(c);
    int64_t keys = c.sizes.keys, channels = c.sizes.headDim;
    for (int64_t head = 0; head < 2 * c.sizes.kvHeads; ++head)
      for (int64_t i = 9 * channels; i < keys * channels; ++i)
        inputs.key[head * keys * channels + i] =
            inputs.value[head * keys * channels + i] = nan64;
    Result<Mod> mod = loadPattern("causal");
    ASSERT_TRUE(mod) << mod.error();
    runAndCompare(c, *mod, oracleOf("causal", c.sizes, {}), inputs, {});
  }
}

TEST(Packed, RunsAgreeBitForBit) {
  for (ElementType type : types) {
    Case c = caseOf({8, 2}, "alibi", type);
    c.runs = interpreted() ? 2 : 20;
    c.lse = type == ElementType::BF16;
    runPattern(c);
  }
}
