// New rows of keys and values in a cache (AppendKernel), element by element:
// those that belong there, and all others as they were. Caches with room for
// each sequence and in pages of any number of rows, in either layout.
#include "GradientHarness.h"

#include "attn/API/Append.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

using namespace attn;
using namespace attn::test;

namespace {

constexpr int32_t least = std::numeric_limits<int32_t>::min();
constexpr int32_t greatest = std::numeric_limits<int32_t>::max();

/// A cache, new rows, and what becomes of them.
struct Appending {
  ElementType type;
  int64_t heads = 2, headDim = 64, valueDim = 64;
  std::vector<int32_t> lengths = {};
  int64_t newRows = 1;              ///< of each sequence; ragged: of all
  std::vector<int32_t> starts = {}; ///< none: not ragged
  int64_t room = 1;                 ///< or rows of a page
  int64_t pageCount = 0;            ///< 0: no pages
  std::vector<int32_t> table = {};
  bool rowsFirst = false;
  int64_t shift = 0; ///< elements by which rows of the cache start later

  int64_t batch() const { return static_cast<int64_t>(lengths.size()); }
  int64_t most() const { return static_cast<int64_t>(table.size()) / batch(); }
  /// Each entry has a page of its own, the last one first.
  void makeTable(int64_t most) {
    pageCount = batch() * most + 1;
    table.resize(batch() * most);
    std::iota(table.rbegin(), table.rend(), 1);
  }

  /// Row of the cache, numbered (batch or page, row), of each row of the new
  /// tensors (batch, row); -1: of none.
  std::vector<int64_t> places() const {
    int64_t tensors = starts.empty() ? batch() : 1;
    std::vector<int64_t> result(tensors * newRows, -1);
    for (int64_t b = 0; b < batch(); ++b) {
      int64_t first = 0, end = newRows;
      if (!starts.empty()) {
        first = std::clamp<int64_t>(starts[b], 0, newRows);
        end = std::clamp<int64_t>(starts[b + 1], 0, newRows);
      }
      for (int64_t row = first; row < end; ++row) {
        int64_t from = starts.empty() ? b * newRows + row : row;
        int64_t kv = std::max<int64_t>(lengths[b], 0) + row - first;
        if (!pageCount) {
          if (kv < room)
            result[from] = b * room + kv;
        } else if (kv < most() * room) {
          int64_t page = table[b * most() + kv / room];
          if (page >= 0 && page < pageCount)
            result[from] = page * room + kv % room;
        }
      }
    }
    return result;
  }

  /// What the cache `before` (batch or page, head, row, channel) is then.
  std::vector<double> definition(const std::vector<double> &before,
                                 const std::vector<double> &rows,
                                 int64_t channels) const {
    std::vector<double> after = before;
    std::vector<int64_t> to = places();
    for (size_t i = 0; i < to.size(); ++i)
      for (int64_t h = 0; h < heads && to[i] >= 0; ++h) {
        auto from = static_cast<int64_t>(i);
        int64_t source =
            (from / newRows * heads + h) * newRows + from % newRows;
        int64_t target = (to[i] / room * heads + h) * room + to[i] % room;
        std::copy_n(&rows[source * channels], channels,
                    &after[target * channels]);
      }
    return after;
  }

  AppendSpec spec() const {
    KernelSpec own = specOf(type, 64, 64);
    AppendSpec spec;
    spec.target = own.target, spec.device = own.device;
    spec.type = type, spec.headDim = headDim, spec.valueDim = valueDim;
    spec.ragged = !starts.empty(), spec.paged = pageCount != 0;
    return spec;
  }

  /// Rows that start `shift` elements into those of a wider tensor.
  TensorView shifted(Tensor &tensor, int64_t channels) const {
    TensorView view = tensor.onDevice();
    view.data = static_cast<char *>(view.data) + shift * byteWidth(type);
    view.sizes[3] = channels;
    return view;
  }

  void run() {
    device();
    Result<AppendKernel> kernel = AppendKernel::compile(spec());
    ASSERT_TRUE(kernel) << kernel.error();
    int64_t tensors = starts.empty() ? batch() : 1;
    int64_t places = pageCount ? pageCount : batch();
    auto cacheOf = [&](int64_t channels) {
      return Tensor({places, heads, room, channels + shift}, type, rowsFirst);
    };
    auto rowsOf = [&](int64_t channels, unsigned seed) {
      Tensor rows({tensors, heads, newRows, channels}, type, rowsFirst);
      rows.set(normal(rows.count(), type, seed));
      return rows;
    };
    Tensor key = cacheOf(headDim), value = cacheOf(valueDim);
    Tensor newKey = rowsOf(headDim, 1), newValue = rowsOf(valueDim, 2);
    key.set(normal(key.count(), type, 3));
    value.set(normal(value.count(), type, 4));
    AppendArguments a;
    a.newKey = newKey.onDevice(), a.newValue = newValue.onDevice();
    a.key = shifted(key, headDim), a.value = shifted(value, valueDim);
    Placed placedLengths, placedStarts, placedTable;
    auto place = [](Placed &placed, const std::vector<int32_t> &numbers) {
      return static_cast<int32_t *>(
          placed.in(numbers.data(), numbers.size() * sizeof(int32_t)));
    };
    a.lengths = place(placedLengths, lengths);
    if (!starts.empty())
      a.starts = {place(placedStarts, starts), batch()};
    if (pageCount)
      a.pages = CaptureView{place(placedTable, table), {batch(), most()}};
    a.stream = device().stream();
    Result<void> ran = kernel->run(a);
    ASSERT_TRUE(ran) << ran.error();
    ASSERT_TRUE(device().synchronize());
    check(key, newKey, headDim);
    check(value, newValue, valueDim);
  }

  void check(Tensor &cache, Tensor &rows, int64_t channels) const {
    std::vector<double> before = cache.get();
    cache.fetch();
    std::vector<double> after = cache.get();
    // Of a wider tensor, its rows.
    auto own = [&](const std::vector<double> &numbers) {
      std::vector<double> result;
      for (size_t row = 0; row * (channels + shift) < numbers.size(); ++row)
        result.insert(result.end(), &numbers[row * (channels + shift) + shift],
                      &numbers[row * (channels + shift) + shift] + channels);
      return result;
    };
    EXPECT_TRUE(own(after) == definition(own(before), rows.get(), channels));
    for (size_t row = 0; row * (channels + shift) < after.size(); ++row)
      for (int64_t i = 0; i < shift; ++i)
        EXPECT_EQ(after[row * (channels + shift) + i],
                  before[row * (channels + shift) + i]);
  }
};

TEST(Append, BehindTheKeysOfEachSequence) {
  for (ElementType type :
       {ElementType::F32, ElementType::F16, ElementType::BF16})
    for (bool rowsFirst : {false, true}) {
      Appending append{type};
      append.lengths = {0, 5, 19, 18};
      append.newRows = 1, append.room = 20;
      append.rowsFirst = rowsFirst;
      append.run();
    }
}

TEST(Append, ChannelsOfAnyNumberAtAnyAddress) {
  for (auto [headDim, valueDim] :
       {std::pair(1, 1), {33, 64}, {64, 40}, {256, 128}, {24, 7}})
    for (int64_t shift : {0, 1}) {
      SCOPED_TRACE(headDim);
      Appending append{ElementType::BF16};
      append.headDim = headDim, append.valueDim = valueDim;
      append.lengths = {2, 0};
      append.newRows = 3, append.room = 9;
      append.shift = shift;
      append.run();
    }
}

TEST(Append, NothingBehindTheRoom) {
  Appending append{ElementType::F32};
  append.lengths = {8, 10, 11, greatest, least, -1};
  append.newRows = 4, append.room = 10;
  append.run();
}

TEST(Append, PagesOfAnyNumberOfRows) {
  for (int64_t rows : {1, 3, 16})
    for (bool rowsFirst : {false, true}) {
      Appending append{ElementType::BF16};
      append.lengths = {0, 4, 17, -3};
      append.newRows = 5, append.room = rows;
      append.rowsFirst = rowsFirst;
      append.makeTable(24 / rows);
      append.run();
    }
}

TEST(Append, PagesThatAreNoneTakeNothing) {
  Appending append{ElementType::BF16};
  append.lengths = {2, 3, 13, greatest};
  append.newRows = 6, append.room = 4;
  append.makeTable(4);
  append.table[1] = -1;
  append.table[5] = static_cast<int32_t>(append.pageCount);
  append.table[7] = least;
  append.run();
}

TEST(Append, RaggedRows) {
  for (bool paged : {false, true}) {
    Appending append{ElementType::BF16};
    append.lengths = {3, 0, 7, 2, 14};
    append.starts = {0, 4, 4, 5, 11, 12};
    append.newRows = 12, append.room = paged ? 4 : 16;
    if (paged)
      append.makeTable(4);
    append.run();
    // Rows of no sequence, and starts outside of the tensor.
    append.starts = {-7, 2, 5, 5, 9, 40};
    append.run();
    append.starts = {3, 4, 6, 8, 9, 10};
    append.run();
  }
}

TEST(Append, NothingOfNothing) {
  Appending append{ElementType::F32};
  append.lengths = {3, 1};
  append.newRows = 0, append.room = 8;
  append.run();
  append.newRows = 2, append.room = 0;
  append.run();
}

/// Keys that are appended bit by bit, then seen.
TEST(Append, ThenAttendIsToAttendToTheWhole) {
  constexpr int64_t heads = 2, most = 5, pageRows = 16;
  const ElementType type = ElementType::BF16;
  Case c;
  c.pattern = "noop", c.type = type;
  c.sizes = {2, 4, heads, 3, most * pageRows, 64, 64, 2};
  std::vector<int32_t> lengths{71, 40};
  Inputs inputs = makeInputs(c);
  Oracle oracle;
  oracle.mask = [&](int b, int, int, int kv) { return kv < lengths[b]; };
  Expected want = evaluate(inputs, oracle, type);

  Appending append{type};
  append.heads = heads, append.lengths = {0, 0}, append.room = pageRows;
  append.makeTable(most);
  AppendSpec spec = append.spec();
  device();
  Result<AppendKernel> kernel = AppendKernel::compile(spec);
  ASSERT_TRUE(kernel) << kernel.error();
  Tensor key({append.pageCount, heads, pageRows, 64}, type), value = key;
  key.poison(), value.poison();
  Tensor whole({2, heads, c.sizes.keys, 64}, type), wholeValues = whole;
  whole.set(inputs.key), wholeValues.set(inputs.value);
  AppendArguments a;
  a.key = key.onDevice(), a.value = value.onDevice();
  Placed placedTable, placedLengths;
  a.pages = CaptureView{placedTable.in(append.table.data(),
                                       append.table.size() * sizeof(int32_t)),
                        {2, most}};
  a.stream = device().stream();
  // All that there is room for, in uneven steps.
  for (int32_t from = 0, step = 1; from < c.sizes.keys; from += step) {
    step = std::min<int32_t>(2 * step + 1, c.sizes.keys - from);
    auto part = [&](Tensor &tensor) {
      TensorView view = tensor.onDevice();
      view.data = static_cast<char *>(view.data) +
                  from * view.strides[2] * byteWidth(type);
      view.sizes[2] = step;
      return view;
    };
    a.newKey = part(whole), a.newValue = part(wholeValues);
    std::vector<int32_t> before{from, from};
    a.lengths = static_cast<int32_t *>(
        placedLengths.in(before.data(), 2 * sizeof(int32_t)));
    Result<void> ran = kernel->run(a);
    ASSERT_TRUE(ran) << ran.error();
    ASSERT_TRUE(device().synchronize());
  }

  Result<Mod> mod = loadPattern("noop");
  ASSERT_TRUE(mod) << mod.error();
  mod = mod->withLengths();
  ASSERT_TRUE(mod) << mod.error();
  KernelSpec attention = specOf(type, 64, 64);
  attention.paged = true;
  Result<AttentionKernel> attend = AttentionKernel::compile(*mod, attention);
  ASSERT_TRUE(attend) << attend.error();
  Tensor query({2, 4, 3, 64}, type), out = query;
  query.set(inputs.query);
  AttentionArguments arguments;
  arguments.query = query.onDevice(), arguments.out = out.onDevice();
  arguments.key = a.key, arguments.value = a.value;
  arguments.captures = {
      CaptureView{placedLengths.in(lengths.data(), 2 * sizeof(int32_t)), {2}}};
  arguments.pages = a.pages;
  arguments.stream = device().stream();
  Result<void> ran = attend->run(arguments);
  ASSERT_TRUE(ran) << ran.error();
  ASSERT_TRUE(device().synchronize());
  out.fetch();
  EXPECT_LT(distance(out.get(), want.out), 0.01);
}

TEST(AppendMistakes, AreNamed) {
  device();
  Appending append{ElementType::F32};
  append.lengths = {0}, append.room = 4;
  Result<AppendKernel> kernel = AppendKernel::compile(append.spec());
  ASSERT_TRUE(kernel) << kernel.error();
  Tensor rows({1, 2, 1, 64}, ElementType::F32),
      cache({1, 2, 4, 64}, ElementType::F32),
      wide({1, 2, 4, 32}, ElementType::F32),
      more({2, 2, 4, 64}, ElementType::F32),
      manyHeads({1, 4, 4, 64}, ElementType::F32);
  Placed placed;
  auto *lengths = static_cast<int32_t *>(placed.reserve(16));
  auto errorOf = [&](auto change) {
    AppendArguments a;
    a.newKey = a.newValue = rows.onDevice();
    a.key = a.value = cache.onDevice();
    a.lengths = lengths;
    change(a);
    Result<void> run = kernel->run(a);
    return run ? "" : run.error();
  };
  EXPECT_EQ(errorOf([&](AppendArguments &a) { a.key = wide.onDevice(); }),
            "expects 'key' head dimension 64, got 32");
  EXPECT_EQ(errorOf([&](AppendArguments &a) {
              a.key = a.value = manyHeads.onDevice();
            }),
            "expects 'key' number of heads 2, got 4");
  EXPECT_EQ(errorOf([&](AppendArguments &a) { a.value = rows.onDevice(); }),
            "expects 'value' length 4, got 1");
  EXPECT_EQ(
      errorOf([&](AppendArguments &a) { a.key = a.value = more.onDevice(); }),
      "expects 'key' batch size 1, got 2");
  EXPECT_EQ(errorOf([](AppendArguments &a) { a.lengths = nullptr; }),
            "expects memory for 'lengths', got null");
  EXPECT_EQ(errorOf([&](AppendArguments &a) {
              a.pages = CaptureView{lengths, {1, 1}};
            }),
            "expects no 'pages': the kernel was compiled without "
            "AppendSpec::paged");
  EXPECT_EQ(errorOf([&](AppendArguments &a) {
              a.starts = {lengths, 1};
            }),
            "expects no starts of sequences of 'new key': the kernel was "
            "compiled for a batch of them");

  AppendSpec paged = append.spec();
  paged.paged = true;
  kernel = AppendKernel::compile(paged);
  ASSERT_TRUE(kernel) << kernel.error();
  EXPECT_EQ(errorOf([](AppendArguments &) {}),
            "expects 'pages' for a kernel of AppendSpec::paged, got none");
  AppendSpec none = append.spec();
  none.headDim = 0;
  kernel = AppendKernel::compile(none);
  ASSERT_FALSE(kernel);
  EXPECT_EQ(kernel.error(), "expects a head dimension of 1 to 256, got 0");
}

} // namespace
