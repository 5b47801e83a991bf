// Keys and values in pages: of any number of rows, in any order and either
// layout, with entries that number no page, and pages that sequences share.
// Rows that are no key's hold NaN.
#include "GradientHarness.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>

using namespace attn;
using namespace attn::test;

namespace {

constexpr int32_t least = std::numeric_limits<int32_t>::min();
constexpr int32_t greatest = std::numeric_limits<int32_t>::max();

CaptureData numbersOf(const std::vector<int32_t> &values) {
  CaptureData data{ElementType::I32,
                   {static_cast<int64_t>(values.size())},
                   std::vector<std::byte>(values.size() * sizeof(int32_t))};
  std::memcpy(data.bytes.data(), values.data(), data.bytes.size());
  return data;
}

/// A case, and the lengths of its sequences.
struct PagedCase {
  Case c;
  std::vector<int32_t> lengths;
  bool atTheEnd = false; ///< queries are the last of their sequence
  std::vector<char> bits;

  PagedCase(const std::string &pattern, ElementType type, int64_t rows,
            std::vector<int32_t> lengths, int64_t room = 200)
      : lengths(std::move(lengths)) {
    c.pattern = pattern;
    c.type = type;
    auto batch = static_cast<int64_t>(this->lengths.size());
    int64_t most = (room + rows - 1) / rows;
    c.sizes = {batch, 4, 2, interpreted() ? 5 : 7, most * rows, 64, 64, batch};
    c.paging = Paging{rows, batch * most + 3, {}, false};
    shuffle(1);
  }

  Paging &paging() { return *c.paging; }
  int32_t &entry(int64_t b, int64_t i) {
    return paging().table[b * paging().most(c.sizes) + i];
  }
  /// How many entries a sequence has keys of.
  int64_t entriesOf(int64_t b) {
    int64_t room = c.sizes.keys, length = std::max(lengths[b], 0);
    return (std::min(length, room) + paging().rows - 1) / paging().rows;
  }

  /// Each entry that is needed has a page of its own, anywhere; the others are
  /// what must not be looked at.
  void shuffle(unsigned seed) {
    Paging &p = paging();
    std::vector<int32_t> pages(p.count);
    std::iota(pages.begin(), pages.end(), 0);
    std::mt19937 random(seed);
    std::shuffle(pages.begin(), pages.end(), random);
    p.table.assign(c.sizes.batch * p.most(c.sizes), greatest);
    for (int64_t b = 0, next = 0; b < c.sizes.batch; ++b)
      for (int64_t i = 0; i < entriesOf(b); ++i)
        entry(b, i) = pages[next++];
  }

  /// Has sequence `to` the keys and values of `from` in its first `rows` rows.
  void share(Inputs &in, int64_t from, int64_t to, int64_t rows) const {
    const ProblemSizes &s = c.sizes;
    auto copy = [&](std::vector<double> &numbers, int64_t channels) {
      for (int64_t h = 0; h < s.kvHeads; ++h) {
        auto at = [&](int64_t b) {
          return numbers.begin() + (b * s.kvHeads + h) * s.keys * channels;
        };
        std::copy_n(at(from), rows * channels, at(to));
      }
    };
    copy(in.key, s.headDim);
    copy(in.value, s.valueDim);
  }

  /// NaN where no key is.
  void spoil(Inputs &in) const {
    const ProblemSizes &s = c.sizes;
    for (int64_t b = 0; b < s.batch; ++b)
      for (int64_t h = 0; h < s.kvHeads; ++h)
        for (int64_t kv = 0; kv < s.keys; ++kv) {
          int64_t row = (b * s.kvHeads + h) * s.keys + kv;
          if (exists(b, kv))
            continue;
          std::fill_n(&in.key[row * s.headDim], s.headDim, NAN);
          std::fill_n(&in.value[row * s.valueDim], s.valueDim, NAN);
        }
  }

  bool exists(int64_t b, int64_t kv) const {
    return kv < lengths[b] && c.paging->pageOf(c.sizes, b, kv) >= 0;
  }

  void run() { run(makeInputs(c)); }
  void run(Inputs inputs) {
    Result<Mod> mod = loadPattern(c.pattern);
    ASSERT_TRUE(mod) << mod.error();
    Result<std::vector<CaptureData>> captures = mod->makeCaptures(c.sizes);
    ASSERT_TRUE(captures) << captures.error();
    Oracle own = oracleOf(c.pattern, c.sizes, *captures);
    std::vector<int32_t> offsets(lengths.size());
    if (atTheEnd) {
      mod = mod->withQueryOffset(QueryOffset::PerBatch);
      ASSERT_TRUE(mod) << mod.error();
      auto room = static_cast<int32_t>(c.sizes.keys);
      for (size_t b = 0; b < lengths.size(); ++b)
        offsets[b] = std::clamp(lengths[b], 0, room) -
                     static_cast<int32_t>(c.sizes.queries);
      captures->push_back(numbersOf(offsets));
    }
    mod = mod->withLengths();
    ASSERT_TRUE(mod) << mod.error();
    captures->push_back(numbersOf(lengths));
    Oracle oracle;
    if (own.score)
      oracle.score = [&](double s, int b, int h, int q, int kv) {
        return own.score(s, b, h, q + offsets[b], kv);
      };
    oracle.mask = [&](int b, int h, int q, int kv) {
      return exists(b, kv) && (!own.mask || own.mask(b, h, q + offsets[b], kv));
    };
    spoil(inputs);
    runAndCompare(c, *mod, oracle, inputs, *captures, &bits);
  }
};

class PageRows : public testing::TestWithParam<int> {};

TEST_P(PageRows, InEitherLayout) {
  for (bool rowsFirst : {false, true})
    for (ElementType type : {ElementType::BF16, ElementType::F32}) {
      PagedCase paged("causal", type, GetParam(), {0, 1, 65, 130, 200, -1});
      paged.atTheEnd = true;
      paged.paging().rowsFirst = rowsFirst;
      paged.run();
    }
}

INSTANTIATE_TEST_SUITE_P(All, PageRows,
                         testing::Values(1, 2, 3, 8, 16, 64, 128, 256));

TEST(Pages, OfPatterns) {
  // Runs and lists, tables at the key, scores.
  for (const char *pattern : {"noop", "alibi", "sliding_window", "prefix_lm",
                              "softcap", "rel", "head_bias", "document_mask"}) {
    SCOPED_TRACE(pattern);
    PagedCase paged(pattern, ElementType::BF16, 16, {67, 128, greatest, least});
    paged.run();
  }
}

TEST(Pages, OfChannelsOfAnyNumber) {
  // Rows of pieces that no number of lanes divides, padded rows, wide ones.
  for (int64_t channels : {16, 40, 80, 96, 128, 256})
    for (ElementType type : {ElementType::BF16, ElementType::F32}) {
      if (type == ElementType::F32 && interpreted() && channels > 96)
        continue;
      PagedCase paged("causal", type, 8, {70, 90}, 96);
      paged.atTheEnd = true;
      paged.c.sizes.headDim = channels;
      paged.c.sizes.valueDim = channels == 40 ? 24 : channels;
      paged.run();
    }
}

TEST(Pages, WhoseRowsAreAtAnyAddress) {
  PagedCase paged("causal", ElementType::BF16, 3, {70, 90}, 96);
  paged.atTheEnd = true;
  paged.c.rowPadding = 3;
  paged.c.offset = 1;
  paged.run();
}

TEST(Pages, GiveTheSameBitsInAnyOrder) {
  PagedCase paged("alibi", ElementType::BF16, 8, {65, 130, 200});
  paged.run();
  std::vector<char> bits = paged.bits;
  for (unsigned seed : {2, 3}) {
    paged.shuffle(seed);
    paged.run();
    EXPECT_TRUE(paged.bits == bits) << seed;
  }
}

TEST(Pages, AreShared) {
  // The first three pages of all, and all of one's.
  PagedCase paged("causal", ElementType::BF16, 16, {100, 67, 48, 200});
  paged.atTheEnd = true;
  Inputs inputs = makeInputs(paged.c);
  for (int64_t b : {0, 1, 2}) {
    paged.share(inputs, 3, b, 48);
    for (int64_t i = 0; i < 3; ++i)
      paged.entry(b, i) = paged.entry(3, i);
  }
  paged.run(inputs);
}

TEST(Pages, ThatAreNoneHaveNoKeys) {
  // At the begin, in the middle, at the end, at the border of a tile, all of a
  // tile, all of a sequence.
  for (int64_t rows : {1, 3, 16, 64}) {
    PagedCase paged("noop", ElementType::BF16, rows,
                    {130, 130, 130, 130, 130, 200});
    int64_t last = paged.entriesOf(0) - 1;
    paged.entry(0, 0) = -1;
    paged.entry(1, last / 2) = static_cast<int32_t>(paged.paging().count);
    paged.entry(2, last) = greatest;
    paged.entry(3, 63 / rows) = least;
    for (int64_t i = 64 / rows; i < 128 / rows; ++i)
      paged.entry(4, i) = -7;
    for (int64_t i = 0; i < paged.entriesOf(5); ++i)
      paged.entry(5, i) = greatest;
    paged.run();
  }
}

TEST(Pages, OfAWindow) {
  // Whole tiles before it are not visited, and their pages may be gone.
  PagedCase paged("sliding_window", ElementType::BF16, 16, {900, 1024}, 1024);
  paged.atTheEnd = true;
  for (int64_t i = 0; i < 20; ++i)
    paged.entry(0, i) = -1;
  paged.run();
}

TEST(Pages, OfNothing) {
  // No pages at all; sequences that have none.
  PagedCase none("noop", ElementType::F32, 16, {5, 0});
  none.paging().count = 0;
  none.run();
  PagedCase empty("causal", ElementType::BF16, 16, {0, 0, -3});
  empty.run();
}

/// What a kernel makes of two pages of 16 rows so many elements apart.
class ApartPages {
public:
  explicit ApartPages(int64_t stride)
      : heap(*device().allocate(bytesOf(stride))),
        small(*device().allocate(2048)) {
    EXPECT_TRUE(device().copyIn(heap, numbers(1).data(), pageBytes));
    EXPECT_TRUE(device().copyIn(static_cast<char *>(heap) + stride * 2,
                                numbers(2).data(), pageBytes));
    EXPECT_TRUE(device().copyIn(small, numbers(3).data(), pageBytes));
    const int32_t integers[] = {1, 0, 27};
    EXPECT_TRUE(device().copyIn(at(1024), integers, sizeof integers));
    view = {heap, ElementType::BF16, {2, 1, 16, 16}, {stride, 0, 16}};
  }
  ~ApartPages() {
    device().release(heap);
    device().release(small);
  }

  static int64_t bytesOf(int64_t stride) { return stride * 2 + pageBytes; }

  std::vector<char> run(const AttentionKernel &kernel) {
    TensorView query{small, ElementType::BF16, {1, 1, 4, 16}, {0, 0, 16}};
    TensorView out = query;
    out.data = at(512);
    CaptureView pages{at(1024), {1, 2}}, lengths{at(1024 + 8), {1}};
    AttentionArguments a;
    a.query = query, a.key = a.value = view, a.out = out;
    a.captures = {lengths}, a.pages = pages;
    a.stream = device().stream();
    Result<void> ran = kernel.run(a);
    EXPECT_TRUE(ran) << ran.error();
    EXPECT_TRUE(device().synchronize());
    std::vector<char> bits(4 * 16 * 2);
    EXPECT_TRUE(device().copyOut(bits.data(), out.data, bits.size()));
    return bits;
  }

private:
  static constexpr int64_t pageBytes = 16 * 16 * 2;
  /// A page of bf16 between 1 and 2.
  static std::vector<uint16_t> numbers(unsigned seed) {
    std::mt19937 random(seed);
    std::vector<uint16_t> result(16 * 16);
    for (uint16_t &x : result)
      x = 0x3f80 | (random() & 0x7f);
    return result;
  }
  void *at(int64_t byte) { return static_cast<char *>(small) + byte; }

  void *heap, *small;
  TensorView view;
};

TEST(Pages, OfOffsetsBeyond32Bits) {
  constexpr int64_t far = (int64_t(1) << 31) + 64;
  if (device().freeBytes() < 2 * ApartPages::bytesOf(far))
    GTEST_SKIP() << "needs " << ApartPages::bytesOf(far) << " bytes of memory";
  Result<Mod> mod = loadPattern("noop");
  ASSERT_TRUE(mod) << mod.error();
  mod = mod->withLengths();
  ASSERT_TRUE(mod) << mod.error();
  KernelSpec spec;
  spec.target = selectedTarget();
  spec.type = ElementType::BF16;
  spec.headDim = spec.valueDim = 16;
  spec.paged = true;
  Result<AttentionKernel> kernel = AttentionKernel::compile(*mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  std::vector<char> expected = ApartPages(256).run(*kernel);
  EXPECT_NE(expected, std::vector<char>(expected.size()));
  EXPECT_TRUE(ApartPages(far).run(*kernel) == expected);
}

/// Two sequences of three queries in two heads, one behind the other in memory,
/// as a kernel gets them; and what it makes of them.
std::vector<uint16_t> ofTwoSequences(const Mod &mod, bool ragged) {
  std::mt19937 random(7);
  auto numbers = [&](size_t count) {
    std::vector<uint16_t> result(count);
    for (uint16_t &x : result)
      x = 0x3f80 | (random() & 0x7f);
    return result;
  };
  std::vector<uint16_t> queries = numbers(2 * 6 * 16), out(queries.size());
  std::vector<uint16_t> pages = numbers(5 * 4 * 16);
  const int32_t table[] = {4, 0, 2, 1, 3, 7}, lengths[] = {9, 5};
  const int32_t offsets[] = {6, 2}, starts[] = {0, 3, 6};
  Placed ofQuery, ofOut, ofHeap, ofTable, ofLengths, ofOffsets, ofStarts;
  KernelSpec spec = specOf(ElementType::BF16, 16, 16);
  spec.paged = true;
  spec.raggedQueries = ragged;
  Result<AttentionKernel> kernel = AttentionKernel::compile(mod, spec);
  EXPECT_TRUE(kernel) << kernel.error();
  if (!kernel)
    return {};
  AttentionArguments a;
  a.query = {ofQuery.in(queries.data(), queries.size() * 2),
             ElementType::BF16,
             {2, 2, 3, 16},
             {3 * 16, 6 * 16, 16}};
  if (ragged) {
    a.query.sizes = {1, 2, 6, 16};
    a.queryStarts = {
        static_cast<const int32_t *>(ofStarts.in(starts, sizeof starts)), 2};
  }
  a.out = a.query;
  a.out.data = ofOut.in(out.data(), out.size() * 2);
  a.key = {ofHeap.in(pages.data(), pages.size() * 2),
           ElementType::BF16,
           {5, 1, 4, 16},
           {64, 64, 16}};
  a.value = a.key;
  a.captures = {{ofOffsets.in(offsets, sizeof offsets), {2}},
                {ofLengths.in(lengths, sizeof lengths), {2}}};
  a.pages = CaptureView{ofTable.in(table, sizeof table), {2, 3}};
  a.stream = device().stream();
  Result<void> ran = kernel->run(a);
  EXPECT_TRUE(ran) << ran.error();
  ofOut.out(out.data(), out.size() * 2);
  return out;
}

TEST(Pages, OfQueriesOneBehindAnother) {
  // A chunk of each prompt, whose keys are in pages: what a batch gives, for
  // which there may be another kernel.
  device();
  Result<Mod> mod = loadPattern("causal");
  ASSERT_TRUE(mod) << mod.error();
  mod = mod->withQueryOffset(QueryOffset::PerBatch);
  ASSERT_TRUE(mod) << mod.error();
  mod = mod->withLengths();
  ASSERT_TRUE(mod) << mod.error();
  std::vector<uint16_t> expected = ofTwoSequences(*mod, /*ragged=*/false);
  std::vector<uint16_t> got = ofTwoSequences(*mod, /*ragged=*/true);
  ASSERT_EQ(got.size(), expected.size());
  ASSERT_FALSE(got.empty());
  // Means of numbers from 1 to 2, as integers of their last places.
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], expected[i], 2) << i;
    EXPECT_NEAR(expected[i], 0x3fc0, 0x40) << i;
  }
}

//===--- what the host knows ----------------------------------------------===//

class PageMistakes : public testing::Test {
protected:
  void SetUp() override {
    device();
    spec.target = selectedTarget();
    spec.headDim = spec.valueDim = 16;
    spec.paged = true;
    Result<Mod> read = loadPattern("noop");
    ASSERT_TRUE(read) << read.error();
    plain = *read;
    read = plain->withLengths();
    ASSERT_TRUE(read) << read.error();
    mod = *read;
    Result<AttentionKernel> compiled = AttentionKernel::compile(*mod, spec);
    ASSERT_TRUE(compiled) << compiled.error();
    kernel = *compiled;
    query.data = heap.data = memory.data();
    query.sizes = {3, 2, 1, 16}, query.strides = {32, 16, 16};
    heap.sizes = {5, 2, 4, 16}, heap.strides = {128, 64, 16};
    table.data = entries.data();
    table.sizes = {3, 6};
    table.type = ElementType::I32;
  }

  AttentionArguments arguments() {
    AttentionArguments a;
    a.query = a.out = query, a.key = a.value = heap;
    a.captures = {{lengths.data(), {3}}};
    return a;
  }
  std::string errorOf(const TensorView &value, const CaptureView *pages) {
    AttentionArguments a = arguments();
    a.value = value;
    if (pages)
      a.pages = *pages;
    Result<void> ran = kernel->run(a);
    return ran ? "" : ran.error();
  }
  std::string errorOf(const CaptureView &pages) {
    return errorOf(heap, &pages);
  }

  KernelSpec spec;
  std::optional<Mod> plain, mod;
  std::optional<AttentionKernel> kernel;
  std::vector<float> memory = std::vector<float>(1024);
  std::vector<int32_t> entries = std::vector<int32_t>(64), lengths{1, 1, 1};
  TensorView query, heap;
  CaptureView table;
};

TEST_F(PageMistakes, OfTheTable) {
  EXPECT_EQ(errorOf(heap, nullptr),
            "expects 'pages' for a kernel of KernelSpec::paged, got none");
  CaptureView wrong = table;
  wrong.type = ElementType::I64;
  EXPECT_EQ(errorOf(wrong), "expects 'pages' of i32, got i64");
  wrong = table;
  wrong.sizes = {18};
  EXPECT_EQ(errorOf(wrong), "expects 'pages' of rank 2, got 1");
  wrong.sizes = {2, 9};
  EXPECT_EQ(errorOf(wrong), "expects 'pages' batch size 3, got 2");
  wrong.sizes = {3, -1};
  EXPECT_EQ(errorOf(wrong), "expects 'pages' with sizes of at least 0, got -1");
  wrong = table;
  wrong.strides = {6};
  EXPECT_EQ(errorOf(wrong), "expects 2 strides for 'pages', got 1");
  wrong.strides = {-6, 1};
  EXPECT_EQ(errorOf(wrong),
            "expects 'pages' with strides of at least 0, got -6");
  wrong.strides = {1, 3};
  EXPECT_EQ(errorOf(wrong), "expects 'pages' innermost stride 1, got 3");
  wrong = table;
  wrong.data = nullptr;
  EXPECT_EQ(errorOf(wrong), "expects memory for 'pages', got null");
  wrong = table;
  wrong.sizes = {3, int64_t(1) << 29};
  EXPECT_EQ(errorOf(wrong), "expects room for fewer than 2^31 keys, got "
                            "536870912 pages of 4 for each sequence");
}

TEST_F(PageMistakes, OfKeysAndValues) {
  TensorView value = heap;
  value.sizes[0] = 4;
  EXPECT_EQ(errorOf(value, &table), "expects 'value' number of pages 5, got 4");
  value = heap;
  value.sizes[2] = 2;
  EXPECT_EQ(errorOf(value, &table), "expects 'value' page rows 4, got 2");
  heap.sizes[0] = int64_t(1) << 31;
  EXPECT_EQ(errorOf(table), "expects fewer than 2^31 pages, got 2147483648");
}

TEST_F(PageMistakes, OfTheKernel) {
  Result<AttentionKernel> without = AttentionKernel::compile(*plain, spec);
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error(), "expects a mod with lengths (Mod::withLengths) "
                             "for KernelSpec::paged");
  EXPECT_FALSE(AttentionKernel::check(*plain, spec));
  Result<GradientKernel> gradients = GradientKernel::compile(*mod, spec);
  ASSERT_FALSE(gradients);
  EXPECT_EQ(gradients.error(), "expects no KernelSpec::paged for gradients");
  spec.paged = false;
  Result<AttentionKernel> unpaged = AttentionKernel::compile(*mod, spec);
  ASSERT_TRUE(unpaged) << unpaged.error();
  heap.sizes[0] = 3;
  AttentionArguments a = arguments();
  a.pages = table;
  Result<void> ran = unpaged->run(a);
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error(), "expects no 'pages': the kernel was compiled without "
                         "KernelSpec::paged");
}

} // namespace
