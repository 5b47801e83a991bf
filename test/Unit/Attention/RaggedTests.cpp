// Sequences of different lengths, one behind another in one tensor: mods see
// positions in their own sequence, no pair is of two, and memory behind a
// sequence is the next one's.
#include "Harness.h"

#include "attn/API/Gradient.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>

using namespace attn;
using namespace attn::test;

namespace {

using Starts = std::vector<int32_t>;

struct Ragged {
  const char *name;
  Starts queries, keys;
};

/// Lengths of nothing, of one, of less and more than tiles.
const Ragged shapes[] = {
    {"OneSequence", {0, 150}, {0, 150}},
    {"Alike", {0, 70, 140, 210}, {0, 70, 140, 210}},
    {"Many", {0, 1, 3, 67, 195, 196, 260}, {0, 1, 3, 67, 195, 196, 260}},
    {"Empty", {0, 0, 64, 64, 64, 90, 90}, {0, 0, 64, 64, 64, 90, 90}},
    {"NoKeys", {0, 40, 80, 130}, {0, 0, 200, 200}},
    {"NoQueries", {0, 0, 80, 80}, {0, 100, 180, 300}},
    {"Chunks", {0, 16, 48, 49}, {0, 300, 333, 500}},
};

int32_t sequenceOf(const Starts &starts, int row) {
  return static_cast<int32_t>(
      std::upper_bound(starts.begin(), starts.end(), row) - starts.begin() - 1);
}

/// `oracle` of sequences as the definition of one that holds them all.
Oracle together(const Oracle &oracle, const Ragged &shape) {
  Oracle result;
  auto sequence = [=](int q) { return sequenceOf(shape.queries, q); };
  if (oracle.score)
    result.score = [=](double s, int, int h, int q, int kv) {
      int b = sequence(q);
      return oracle.score(s, b, h, q - shape.queries[b], kv - shape.keys[b]);
    };
  result.mask = [=](int, int h, int q, int kv) {
    int b = sequence(q);
    return b == sequenceOf(shape.keys, kv) &&
           (!oracle.mask ||
            oracle.mask(b, h, q - shape.queries[b], kv - shape.keys[b]));
  };
  return result;
}

Case caseOf(const Ragged &shape) {
  Case c;
  c.sizes = {1,
             4,
             2,
             shape.queries.back(),
             shape.keys.back(),
             64,
             64,
             static_cast<int64_t>(shape.queries.size()) - 1};
  c.queryStarts = shape.queries;
  c.keyStarts = shape.keys;
  return c;
}

class RaggedSequences : public testing::TestWithParam<Ragged> {
protected:
  /// On the PTX machine two shapes have a bit of all.
  void SetUp() override {
    std::string name = GetParam().name;
    if (interpreted() && name != "Many" && name != "NoKeys")
      GTEST_SKIP() << "thousands of times slower than on a GPU";
  }
};

TEST_P(RaggedSequences, OfPatterns) {
  bool isWide = GetParam().queries.size() % 2; // each pattern in both
  for (const char *pattern :
       {"noop", "causal", "alibi", "sliding_window", "prefix_lm", "softcap"}) {
    isWide = !isWide;
    SCOPED_TRACE(pattern);
    Case c = caseOf(GetParam());
    c.pattern = pattern;
    c.type = isWide ? ElementType::F32 : ElementType::BF16;
    c.layout = isWide ? Layout::BHSD : Layout::BSHD;
    c.scoreError = c.pattern == "softcap" ? 1e-5 : 0;
    Result<Mod> mod = loadPattern(pattern);
    ASSERT_TRUE(mod) << mod.error();
    Result<std::vector<CaptureData>> captures = mod->makeCaptures(c.sizes);
    ASSERT_TRUE(captures) << captures.error();
    runAndCompare(c, *mod,
                  together(oracleOf(pattern, c.sizes, *captures), GetParam()),
                  makeInputs(c), *captures);
  }
}

/// Tables at the sequence, the query and the key; tiles that are not one run.
TEST_P(RaggedSequences, OfTablesAndMasksWithGaps) {
  Result<Mod> mod = Mod::fromSource(R"(
attn.mod @m(%bias: tensor<?xf32>, %rows: tensor<?x?xf32>)
  score(%s: f32, %b: i32, %h: i32, %q: i32, %kv: i32) {
    %x = attn.load %bias[%b] : tensor<?xf32>
    %y = attn.load %rows[%b, %q] : tensor<?x?xf32>
    %z = attn.load %rows[%h, %kv] : tensor<?x?xf32>
    %t = arith.addf %s, %x : f32
    %u = arith.addf %t, %y : f32
    %v = arith.addf %u, %z : f32
    attn.yield %v : f32
  } mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %c96 = arith.constant 96 : i32
    %c32 = arith.constant 32 : i32
    %d = arith.subi %q, %kv : i32
    %r = arith.remsi %d, %c96 : i32
    %a = math.absi %r : i32
    %keep = arith.cmpi slt, %a, %c32 : i32
    attn.yield %keep : i1
  })",
                                    "mod.mlir");
  ASSERT_TRUE(mod) << mod.error();
  Case c = caseOf(GetParam());
  int64_t rows = std::max<int64_t>(c.sizes.sequences, c.sizes.heads);
  int64_t columns = std::max(c.sizes.queries, c.sizes.keys);
  auto number = [](int64_t i) { return static_cast<float>(i % 5) / 4; };
  auto table = [&](std::vector<int64_t> sizes, int64_t count) {
    CaptureData data{ElementType::F32, std::move(sizes), {}};
    std::vector<float> values(count);
    for (int64_t i = 0; i < count; ++i)
      values[i] = number(i);
    data.bytes.resize(count * sizeof(float));
    std::memcpy(data.bytes.data(), values.data(), data.bytes.size());
    return data;
  };
  Oracle oracle;
  oracle.score = [=](double s, int b, int h, int q, int kv) {
    return s + number(b) + number(b * columns + q) + number(h * columns + kv);
  };
  oracle.mask = [](int, int, int q, int kv) {
    return std::abs((q - kv) % 96) < 32;
  };
  for (ElementType type : {ElementType::F32, ElementType::BF16}) {
    c.type = type;
    runAndCompare(
        c, *mod, together(oracle, GetParam()), makeInputs(c),
        {table({rows}, rows), table({rows, columns}, rows * columns)});
  }
}

INSTANTIATE_TEST_SUITE_P(All, RaggedSequences, testing::ValuesIn(shapes),
                         [](const auto &info) { return info.param.name; });

/// Positions of queries at the end of their keys, as where a prompt comes in
/// chunks.
TEST(Ragged, QueryOffsetsAreOfSequences) {
  const Ragged shape{"", {0, 16, 48, 49}, {0, 300, 333, 500}};
  Case c = caseOf(shape);
  Result<Mod> mod = loadPattern("causal");
  ASSERT_TRUE(mod) << mod.error();
  Result<Mod> shifted = mod->withQueryOffset(QueryOffset::PerBatch);
  ASSERT_TRUE(shifted) << shifted.error();
  std::vector<int32_t> offsets;
  for (int i = 0; i < 3; ++i)
    offsets.push_back(shape.keys[i + 1] - shape.keys[i] -
                      (shape.queries[i + 1] - shape.queries[i]));
  CaptureData data{ElementType::I32, {3}, std::vector<std::byte>(12)};
  std::memcpy(data.bytes.data(), offsets.data(), 12);
  Oracle oracle;
  oracle.mask = [=](int b, int, int q, int kv) { return q + offsets[b] >= kv; };
  for (ElementType type : {ElementType::F32, ElementType::F16}) {
    c.type = type;
    runAndCompare(c, *shifted, together(oracle, shape), makeInputs(c), {data});
  }
}

/// One of the two tensors with a batch for each sequence.
TEST(Ragged, QueriesOrKeysAlone) {
  const Ragged equalKeys{"", {0, 5, 100, 101}, {0, 80, 160, 240}};
  const Ragged equalQueries{"", {0, 33, 66, 99}, {0, 200, 201, 330}};
  Result<Mod> mod = loadPattern("causal");
  ASSERT_TRUE(mod) << mod.error();
  Oracle oracle = oracleOf("causal", {}, {});
  for (ElementType type : {ElementType::F32, ElementType::BF16}) {
    Case c = caseOf(equalKeys);
    c.type = type;
    c.keysAsBatch = true;
    runAndCompare(c, *mod, together(oracle, equalKeys), makeInputs(c), {});
    c = caseOf(equalQueries);
    c.type = type;
    c.queriesAsBatch = true;
    c.lse = false;
    runAndCompare(c, *mod, together(oracle, equalQueries), makeInputs(c), {});
  }
}

TEST(Ragged, WidthsAndRatios) {
  const Ragged shape{"", {0, 77, 141, 142}, {0, 77, 141, 142}};
  Result<Mod> mod = loadPattern("causal");
  ASSERT_TRUE(mod) << mod.error();
  Oracle oracle = oracleOf("causal", {}, {});
  struct Widths {
    int64_t heads, kvHeads, headDim, valueDim;
  };
  for (auto [heads, kvHeads, headDim, valueDim] :
       {Widths{5, 1, 128, 128}, Widths{2, 2, 192, 128}, Widths{3, 3, 40, 72}}) {
    Case c = caseOf(shape);
    c.type = ElementType::BF16;
    c.sizes.heads = heads, c.sizes.kvHeads = kvHeads;
    c.sizes.headDim = headDim, c.sizes.valueDim = valueDim;
    runAndCompare(c, *mod, together(oracle, shape), makeInputs(c), {});
  }
}

/// NaN in the sequence behind the one that is read.
TEST(Ragged, NothingLeaksFromTheNextSequence) {
  const Ragged shape{"", {0, 30, 60}, {0, 30, 60}};
  Result<Mod> mod = loadPattern("noop");
  ASSERT_TRUE(mod) << mod.error();
  for (ElementType type : {ElementType::F32, ElementType::BF16}) {
    Case c = caseOf(shape);
    c.type = type;
    c.sizes.heads = c.sizes.kvHeads = 1;
    Inputs inputs = makeInputs(c);
    // Of the second sequence's keys one is infinite, and its values are NaN,
    // but no query looks at those.
    Oracle oracle;
    oracle.mask = [](int b, int, int, int kv) { return b == 0 || kv >= 2; };
    Result<Mod> blind = Mod::fromSource(R"(
attn.mod @m mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
  %zero = arith.constant 0 : i32
  %two = arith.constant 2 : i32
  %first = arith.cmpi eq, %b, %zero : i32
  %behind = arith.cmpi sge, %kv, %two : i32
  %keep = arith.ori %first, %behind : i1
  attn.yield %keep : i1
})",
                                        "mod.mlir");
    ASSERT_TRUE(blind) << blind.error();
    double nan = std::numeric_limits<double>::quiet_NaN();
    for (int64_t i = 30 * 64; i < 32 * 64; ++i)
      inputs.key[i] = inputs.value[i] = nan;
    runAndCompare(c, *blind, together(oracle, shape), inputs, {});
  }
}

class RaggedMistakes : public testing::Test {
protected:
  /// The error of a launch with tensors of one batch, 8 rows and these starts.
  std::string errorOf(bool ragged, SequenceStarts queries, SequenceStarts keys,
                      int64_t batch = 1) {
    Result<Mod> mod = loadPattern("noop");
    KernelSpec spec;
    spec.headDim = spec.valueDim = 16;
    spec.raggedQueries = spec.raggedKeys = ragged;
    Result<AttentionKernel> kernel = AttentionKernel::compile(*mod, spec);
    if (!kernel)
      return kernel.error();
    std::vector<float> memory(batch * 8 * 16);
    AttentionArguments a;
    a.query.data = memory.data();
    a.query.sizes = {batch, 1, 8, 16};
    a.query.strides = {128, 128, 16};
    a.key = a.value = a.out = a.query;
    a.queryStarts = queries, a.keyStarts = keys;
    Result<void> ran = kernel->run(a);
    return ran ? "" : ran.error();
  }
  Starts starts{0, 4, 8};
  SequenceStarts two{starts.data(), 2}, one{starts.data(), 1};
};

TEST_F(RaggedMistakes, AreNamed) {
  EXPECT_EQ(errorOf(true, two, two), "");
  EXPECT_EQ(errorOf(true, {}, two),
            "expects starts of sequences of 'query', got null");
  EXPECT_EQ(errorOf(true, two, one),
            "expects 'key' number of sequences 2, got 1");
  EXPECT_EQ(errorOf(true, two, {starts.data(), -1}),
            "expects a number of sequences of at least 0, got -1");
  EXPECT_EQ(errorOf(true, two, two, 2), "expects 'query' batch size 1, got 2");
  EXPECT_EQ(errorOf(false, two, {}),
            "expects no starts of sequences of 'query': the kernel was "
            "compiled for a batch of them");
}

/// Whatever starts say, nothing is read or written outside of the tensors.
TEST_F(RaggedMistakes, StartsOfAnyValueStayInside) {
  constexpr int32_t most = std::numeric_limits<int32_t>::max();
  for (Starts wild : {Starts{0, 100, 200}, Starts{-5, 4, 8}, Starts{8, 4, 0},
                      Starts{most, -most, most}, Starts{0, most, 3}}) {
    starts = wild;
    SequenceStarts given{starts.data(), 2};
    EXPECT_EQ(errorOf(true, given, given), "");
  }
}

TEST_F(RaggedMistakes, GradientsAreRefused) {
  Result<Mod> mod = loadPattern("noop");
  ASSERT_TRUE(mod) << mod.error();
  KernelSpec spec;
  spec.raggedKeys = true;
  Result<GradientKernel> kernel = GradientKernel::compile(*mod, spec);
  ASSERT_FALSE(kernel);
  EXPECT_EQ(kernel.error(),
            "expects tensors with a batch of sequences: there are no gradients "
            "of ragged ones yet");
}

} // namespace
