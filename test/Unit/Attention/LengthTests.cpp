// Sequences of fewer keys than there is room for: every pattern, with lengths
// on either side of the borders of tiles, of nothing and of the room, alone and
// with queries that are the last of their sequence. Rows behind a length hold
// NaN.
#include "GradientHarness.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

using namespace attn;
using namespace attn::test;

namespace {

constexpr int32_t least = std::numeric_limits<int32_t>::min();
constexpr int32_t greatest = std::numeric_limits<int32_t>::max();

/// Of a room for 200 keys.
struct Lengths {
  const char *name;
  std::vector<int32_t> values; ///< one for each batch
};
const Lengths lengthsOfCases[] = {
    {"AroundNothing", {0, 1, -1}},       {"AroundATile", {63, 64, 65}},
    {"AroundTwoTiles", {127, 128, 129}}, {"AroundTheRoom", {199, 200, 201}},
    {"Extreme", {least, greatest, 100}}, {"OfOneKind", {7, 7, 7}},
};

const char *const patterns[] = {
    "noop",    "causal", "alibi",     "sliding_window", "prefix_lm",
    "softcap", "rel",    "head_bias", "document_mask"};

CaptureData numbersOf(const std::vector<int32_t> &values) {
  CaptureData data{ElementType::I32,
                   {static_cast<int64_t>(values.size())},
                   std::vector<std::byte>(values.size() * sizeof(int32_t))};
  std::memcpy(data.bytes.data(), values.data(), data.bytes.size());
  return data;
}

/// `oracle` with queries moved by `offsets` (none: by nothing), without the
/// keys behind the lengths.
Oracle within(const Oracle &oracle, const std::vector<int32_t> &lengths,
              const std::vector<int32_t> &offsets = {}) {
  auto moved = [=](int b, int q) {
    return offsets.empty() ? q : q + offsets[b];
  };
  Oracle result;
  if (oracle.score)
    result.score = [=](double s, int b, int h, int q, int kv) {
      return oracle.score(s, b, h, moved(b, q), kv);
    };
  result.mask = [=](int b, int h, int q, int kv) {
    return kv < lengths[b] &&
           (!oracle.mask || oracle.mask(b, h, moved(b, q), kv));
  };
  return result;
}

/// Fills rows of keys and values behind the lengths.
void spoil(Inputs &in, const std::vector<int32_t> &lengths, double with) {
  const ProblemSizes &s = in.sizes;
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t h = 0; h < s.kvHeads; ++h)
      for (int64_t kv = std::max(lengths[b], 0); kv < s.keys; ++kv) {
        int64_t row = (b * s.kvHeads + h) * s.keys + kv;
        std::fill_n(&in.key[row * s.headDim], s.headDim, with);
        std::fill_n(&in.value[row * s.valueDim], s.valueDim, with);
      }
}

Case caseOf(const std::string &pattern, ElementType type) {
  Case c;
  c.pattern = pattern;
  c.type = type;
  c.sizes = {3, 2, 1, interpreted() ? 20 : 70, 200, 64, 64, 3};
  return c;
}

class LengthsOf : public testing::TestWithParam<Lengths> {
protected:
  /// Runs every pattern, the types in turn.
  void runPatterns(bool atTheEnd) {
    const std::vector<int32_t> &lengths = GetParam().values;
    bool isWide = lengths[0] % 2;
    for (const char *pattern : patterns) {
      // Its captures have no positions beyond the queries.
      if (atTheEnd && !std::strcmp(pattern, "document_mask"))
        continue;
      isWide = !isWide;
      SCOPED_TRACE(pattern);
      run(caseOf(pattern, isWide ? ElementType::F32 : ElementType::BF16),
          atTheEnd);
      if (testing::Test::HasFailure())
        return;
    }
  }

  void run(const Case &c, bool atTheEnd) {
    const std::vector<int32_t> &lengths = GetParam().values;
    Result<Mod> mod = loadPattern(c.pattern);
    ASSERT_TRUE(mod) << mod.error();
    Result<std::vector<CaptureData>> captures = mod->makeCaptures(c.sizes);
    ASSERT_TRUE(captures) << captures.error();
    Oracle oracle = oracleOf(c.pattern, c.sizes, *captures);
    std::vector<int32_t> offsets;
    if (atTheEnd) {
      mod = mod->withQueryOffset(QueryOffset::PerBatch);
      ASSERT_TRUE(mod) << mod.error();
      auto room = static_cast<int32_t>(c.sizes.keys);
      for (int32_t length : lengths)
        offsets.push_back(std::min(std::max(length, 0), room) -
                          static_cast<int32_t>(c.sizes.queries));
      captures->push_back(numbersOf(offsets));
    }
    mod = mod->withLengths();
    ASSERT_TRUE(mod) << mod.error();
    captures->push_back(numbersOf(lengths));
    Inputs inputs = makeInputs(c);
    spoil(inputs, lengths, NAN);
    runAndCompare(c, *mod, within(oracle, lengths, offsets), inputs, *captures);
  }
};

TEST_P(LengthsOf, Patterns) { runPatterns(/*atTheEnd=*/false); }
TEST_P(LengthsOf, PatternsAtTheEnd) { runPatterns(/*atTheEnd=*/true); }

INSTANTIATE_TEST_SUITE_P(All, LengthsOf, testing::ValuesIn(lengthsOfCases),
                         [](const auto &info) { return info.param.name; });

TEST(Lengths, OfEveryNumberOfKeys) {
  // One kernel for all of them.
  Result<Mod> mod = loadPattern("causal");
  ASSERT_TRUE(mod) << mod.error();
  mod = mod->withLengths();
  ASSERT_TRUE(mod) << mod.error();
  Case c;
  c.type = ElementType::BF16;
  std::vector<int32_t> lengths;
  for (int32_t i = -1; i <= (interpreted() ? 18 : 131); ++i)
    lengths.push_back(i);
  auto batch = static_cast<int64_t>(lengths.size());
  c.sizes = {batch, 1, 1, 3, batch - 3, 16, 16, batch};
  Inputs inputs = makeInputs(c);
  spoil(inputs, lengths, INFINITY);
  Oracle causal = oracleOf("causal", c.sizes, {});
  runAndCompare(c, *mod, within(causal, lengths), inputs, {numbersOf(lengths)});
}

TEST(Lengths, OfGradients) {
  // Keys behind a length have gradients of zero, whatever they are.
  const std::vector<int32_t> lengths{65, 0, 1000};
  for (ElementType type : {ElementType::F32, ElementType::BF16})
    for (const char *pattern : {"noop", "alibi", "prefix_lm"}) {
      SCOPED_TRACE(pattern);
      Result<Mod> mod = loadPattern(pattern);
      ASSERT_TRUE(mod) << mod.error();
      mod = mod->withLengths();
      ASSERT_TRUE(mod) << mod.error();
      Case c;
      c.type = type;
      c.sizes = {3, 2, 1, 30, 140, 64, 64, 3};
      Inputs inputs = makeInputs(c);
      spoil(inputs, lengths, NAN);
      BothPasses run(c.sizes, c.type);
      run.set(inputs);
      std::vector<double> gradOut = normal(run.gradOut.count(), c.type, 5);
      run.gradOut.set(gradOut);
      Result<std::vector<CaptureData>> captures = mod->makeCaptures(c.sizes);
      ASSERT_TRUE(captures) << captures.error();
      run.captures = *captures;
      run.captures.back() = numbersOf(lengths);
      run.compute(*mod);
      if (testing::Test::HasFatalFailure())
        return;
      Oracle oracle = within(oracleOf(pattern, c.sizes, *captures), lengths);
      compare(run, Definition(inputs, oracle, gradOut, run.gradLse).run());
    }
}

TEST(Lengths, AreTheLastCapture) {
  Result<Mod> mod = loadPattern("alibi");
  ASSERT_TRUE(mod) << mod.error();
  // In whatever order the two are asked for.
  for (bool lengthsFirst : {false, true}) {
    Result<Mod> both = lengthsFirst
                           ? mod->withLengths()
                           : mod->withQueryOffset(QueryOffset::PerBatch);
    ASSERT_TRUE(both) << both.error();
    both = lengthsFirst ? both->withQueryOffset(QueryOffset::PerBatch)
                        : both->withLengths();
    ASSERT_TRUE(both) << both.error();
    const std::vector<CaptureInfo> &infos = both->captures();
    ASSERT_EQ(infos.size(), mod->captures().size() + 2);
    const CaptureInfo &offset = infos[infos.size() - 2], &last = infos.back();
    EXPECT_TRUE(offset.isQueryOffset && !offset.isLengths);
    EXPECT_TRUE(last.isLengths && !last.isQueryOffset);
    EXPECT_EQ(last.name, "lengths");
    EXPECT_EQ(last.type, ElementType::I32);
    EXPECT_EQ(last.rank, 1);
    ProblemSizes sizes{3, 2, 1, 5, 7, 64, 64, 3};
    Result<std::vector<CaptureData>> data = both->makeCaptures(sizes);
    ASSERT_TRUE(data) << data.error();
    EXPECT_EQ(data->back().bytes, numbersOf({7, 7, 7}).bytes);
    Result<Mod> twice = both->withLengths();
    ASSERT_FALSE(twice);
    EXPECT_EQ(twice.error(),
              "expects mod '@alibi' without lengths: it has them");
  }
}

TEST(Lengths, CountKeysThatAnI32Can) {
  Result<Mod> mod = loadPattern("noop");
  ASSERT_TRUE(mod) << mod.error();
  mod = mod->withLengths();
  ASSERT_TRUE(mod) << mod.error();
  ProblemSizes sizes{1, 1, 1, 1, int64_t(1) << 31, 64, 64, 1};
  Result<std::vector<CaptureData>> data = mod->makeCaptures(sizes);
  ASSERT_FALSE(data);
  EXPECT_EQ(data.error(),
            "expects keys that 'lengths' can count, got 2147483648");
}

TEST(Lengths, HaveAnEntryForEachBatch) {
  Result<Mod> mod = loadPattern("causal");
  ASSERT_TRUE(mod) << mod.error();
  mod = mod->withLengths();
  ASSERT_TRUE(mod) << mod.error();
  KernelSpec spec;
  spec.headDim = spec.valueDim = 16;
  Result<AttentionKernel> kernel = AttentionKernel::compile(*mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  std::vector<float> memory(3 * 16);
  TensorView view;
  view.data = memory.data();
  view.sizes = {3, 1, 1, 16};
  view.strides = {16, 16, 16};
  std::vector<int32_t> lengths(4);
  Result<void> ran =
      kernel->run(view, view, view, {{lengths.data(), {4}}}, view);
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error(), "expects 'lengths' batch size 3, got 4");
}

} // namespace
