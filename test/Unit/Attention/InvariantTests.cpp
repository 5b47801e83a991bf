// KernelSpec::invariant: a sequence alone, and among others, whose keys are
// fewer or more, extreme, or NaN behind their lengths, has the same bits.
#include "GradientHarness.h"

#include "attn/API/Tiles.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

using namespace attn;
using namespace attn::test;

namespace {

struct InvariantCase {
  const char *pattern;
  ElementType type;
  int64_t queries, keys;
  const char *schedule = "";
  int64_t heads = 4, kvHeads = 2;
  bool paged = false;
};

/// Tiles that are full, in two runs for each query: they come from lists.
constexpr const char *stripes = R"(
attn.mod @stripes()
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %width = arith.constant 256 : i32
    %two = arith.constant 2 : i32
    %zero = arith.constant 0 : i32
    %stripe = arith.divsi %kv, %width : i32
    %rest = arith.remsi %stripe, %two : i32
    %keep = arith.cmpi eq, %rest, %zero : i32
    attn.yield %keep : i1
  })";

/// Parts of at least two visits, so that short sequences have several.
const char *chunked() {
  return selectedTarget() == Target::CPU
             ? "#attn.schedule<tiling = <q = 16, kv = 32, pack, chunk = 2>>"
             : "#attn.schedule<tiling = <q = 16, kv = 32, pack, chunk = 2>, "
               "pipeline = <stages = 2>>";
}

constexpr int64_t channels = 32, pageRows = 16;

/// Bytes of out, then of the LSE, of one sequence.
using Bits = std::vector<std::byte>;

class Invariant {
public:
  explicit Invariant(const InvariantCase &c) : c(c) {}

  /// Compiles for `shares`, which must not count.
  void compile(int64_t shares = 0) {
    device();
    Result<Mod> loaded = std::strcmp(c.pattern, "stripes") == 0
                             ? Mod::fromSource(stripes, "stripes.mlir")
                             : loadPattern(c.pattern);
    ASSERT_TRUE(loaded) << loaded.error();
    loaded = loaded->withQueryOffset(QueryOffset::PerBatch);
    ASSERT_TRUE(loaded) << loaded.error();
    loaded = loaded->withLengths();
    ASSERT_TRUE(loaded) << loaded.error();
    mod = *loaded;
    KernelSpec spec = specOf(c.type, channels, channels);
    spec.lse = true, spec.invariant = true, spec.paged = c.paged;
    spec.schedule = c.schedule, spec.shares = shares;
    Result<AttentionKernel> compiled = AttentionKernel::compile(mod, spec);
    ASSERT_TRUE(compiled) << compiled.error();
    kernel = *compiled;
  }

  /// Of the case's sequence at `place` among others of `lengths`, with so much
  /// room for each.
  Bits run(std::vector<int32_t> lengths, size_t place, int64_t room) {
    lengths.insert(lengths.begin() + static_cast<int64_t>(place),
                   static_cast<int32_t>(c.keys));
    auto batch = static_cast<int64_t>(lengths.size());
    Tensor query({batch, c.heads, c.queries, channels}, c.type), out = query;
    std::vector<double> numbers;
    for (int64_t b = 0; b < batch; ++b)
      append(numbers, b == static_cast<int64_t>(place), 1,
             c.heads * c.queries * channels);
    query.set(numbers);
    Tensor key = cacheOf(lengths, place, room, 2),
           value = cacheOf(lengths, place, room, 3);
    std::vector<float> lse(batch * c.heads * c.queries, NAN);
    Placed placedLse, placedTable, placedLengths, placedOffsets, placedSlopes;

    AttentionArguments a;
    a.query = query.onDevice(), a.out = out.onDevice();
    a.key = key.onDevice(), a.value = value.onDevice();
    a.lse = static_cast<float *>(
        placedLse.in(lse.data(), lse.size() * sizeof(float)));
    std::vector<int32_t> offsets, table;
    for (int32_t length : lengths)
      offsets.push_back(length - static_cast<int32_t>(c.queries));
    std::vector<float> slopes{0.5f, 0.25f, 0.125f, 0.0625f};
    if (std::strcmp(c.pattern, "alibi") == 0)
      a.captures.push_back(
          {placedSlopes.in(slopes.data(), sizeof(float) * slopes.size()),
           {c.heads}});
    for (auto [placed, values] : {std::pair(&placedOffsets, &offsets),
                                  std::pair(&placedLengths, &lengths)})
      a.captures.push_back(
          {placed->in(values->data(), values->size() * sizeof(int32_t)),
           {batch}});
    if (c.paged) {
      for (int64_t i = 0; i < batch * room / pageRows; ++i)
        table.push_back(static_cast<int32_t>(i));
      a.pages = CaptureView{
          placedTable.in(table.data(), table.size() * sizeof(int32_t)),
          {batch, room / pageRows}};
    }
    a.stream = device().stream();
    Result<void> ran = kernel->run(a);
    EXPECT_TRUE(ran) << ran.error();
    EXPECT_TRUE(device().synchronize());
    out.fetch();
    placedLse.out(lse.data(), lse.size() * sizeof(float));
    auto part = [&](const void *all, int64_t bytes) {
      const auto *from = static_cast<const std::byte *>(all) + place * bytes;
      return Bits(from, from + bytes);
    };
    int64_t rows = c.heads * c.queries;
    Bits bits = part(out.bytes.data(), rows * channels * byteWidth(c.type));
    Bits ofRows = part(lse.data(), rows * 4);
    bits.insert(bits.end(), ofRows.begin(), ofRows.end());
    return bits;
  }

  void compare() {
    Bits alone = run({}, 0, rounded(c.keys));
    for (std::byte byte : Bits(alone.end() - 4, alone.end()))
      if (byte != std::byte(0xff)) // something was written
        return compareWith(alone);
    ADD_FAILURE() << "no result";
  }

private:
  void compareWith(const Bits &alone) {
    // More room than there are keys.
    EXPECT_TRUE(run({}, 0, rounded(c.keys) + 320) == alone);
    auto keys = static_cast<int32_t>(c.keys);
    EXPECT_TRUE(run({0, keys + 100}, 1, rounded(keys + 100)) == alone);
    std::vector<int32_t> many;
    for (int32_t i = 0; i < (interpreted() ? 4 : 16); ++i)
      many.push_back(i * 37 % (2 * keys));
    EXPECT_TRUE(run(many, many.size() / 2, rounded(2 * c.keys)) == alone);
  }

  /// To whole pages.
  static int64_t rounded(int64_t keys) {
    return (keys + pageRows - 1) / pageRows * pageRows;
  }

  /// Numbers of the case's own sequence, or extreme ones of another.
  void append(std::vector<double> &numbers, bool isOwn, unsigned seed,
              int64_t count) {
    for (double x : normal(count, c.type, isOwn ? seed : seed + 20))
      numbers.push_back(isOwn ? x : 300 * x);
  }

  /// (batch, key head, row, channel); what is behind a length is NaN or, behind
  /// the case's own, as large as can be in places.
  Tensor cacheOf(const std::vector<int32_t> &lengths, size_t place,
                 int64_t room, unsigned seed) {
    auto batch = static_cast<int64_t>(lengths.size());
    std::vector<double> numbers;
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t h = 0; h < c.kvHeads; ++h) {
        bool isOwn = b == static_cast<int64_t>(place);
        int64_t length = std::min<int64_t>(lengths[b], room);
        append(numbers, isOwn, seed + 4 * static_cast<unsigned>(h),
               length * channels);
        double behind = batch % 2 ? NAN : 60000;
        numbers.resize(numbers.size() + (room - length) * channels, behind);
      }
    if (!c.paged) {
      Tensor cache({batch, c.kvHeads, room, channels}, c.type);
      cache.set(numbers);
      return cache;
    }
    // Page i of sequence b is page b * pages + i.
    int64_t pages = room / pageRows;
    std::vector<double> heap;
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t page = 0; page < pages; ++page)
        for (int64_t h = 0; h < c.kvHeads; ++h) {
          auto from = numbers.begin() +
                      ((b * c.kvHeads + h) * room + page * pageRows) * channels;
          heap.insert(heap.end(), from, from + pageRows * channels);
        }
    Tensor cache({batch * pages, c.kvHeads, pageRows, channels}, c.type);
    cache.set(heap);
    return cache;
  }

  InvariantCase c;
  Mod mod;
  std::optional<AttentionKernel> kernel;
};

void runCase(const InvariantCase &c) {
  SCOPED_TRACE(std::string(c.pattern) + " " + toString(c.type) + " " +
               std::to_string(c.queries) + "x" + std::to_string(c.keys) +
               c.schedule);
  Invariant run(c);
  run.compile();
  if (!testing::Test::HasFatalFailure())
    run.compare();
}

// Decoding: chunks of packed rows.
TEST(Invariant, OfFewQueries) {
  for (ElementType type :
       {ElementType::F32, ElementType::F16, ElementType::BF16}) {
    if (interpreted() && type == ElementType::F16)
      continue;
    runCase({"causal", type, 3, 333, chunked()});
  }
  runCase({"alibi", ElementType::BF16, 1, 170, chunked()});
  // As it is chosen: one part of a short sequence, several of a long one.
  runCase({"causal", ElementType::BF16, 2, 100});
  if (!interpreted())
    for (ElementType type : {ElementType::F32, ElementType::BF16})
      runCase({"causal", type, 1, 2500});
}

// Prefill: no kernel for few tasks, few rounds or short rows.
TEST(Invariant, OfManyQueries) {
  for (ElementType type :
       {ElementType::F32, ElementType::F16, ElementType::BF16}) {
    if (interpreted() && type != ElementType::BF16)
      continue;
    runCase({"causal", type, 40, interpreted() ? 70 : 300, "", 2, 1});
  }
}

TEST(Invariant, OfPages) {
  InvariantCase c{"causal", ElementType::BF16, 2, 150, chunked()};
  c.paged = true;
  runCase(c);
}

// The last tile is full where there is room for the keys alone, and else ends
// with the length: it is visited at the same place.
TEST(Invariant, OfMasksWithLists) {
  Result<Mod> mod = Mod::fromSource(stripes, "stripes.mlir");
  ASSERT_TRUE(mod) << mod.error();
  EXPECT_TRUE(analyzeMask(*mod).needsLists);
  for (int64_t keys : {528, 512 + 256, 300})
    if (!interpreted() || keys == 528)
      runCase({"stripes", ElementType::BF16, 20, keys});
}

TEST(Invariant, SharesDoNotCount) {
  Invariant run({"noop", ElementType::BF16, 1, 300, chunked()});
  run.compile();
  Bits want = run.run({}, 0, 304);
  run.compile(/*shares=*/7);
  EXPECT_TRUE(run.run({40}, 1, 320) == want);
}

/// Sequences one behind another; others have scores that are far from zero,
/// which warps ask of all rows of a tile.
TEST(Invariant, OfRaggedSequences) {
  device();
  Result<Mod> mod = loadPattern("noop");
  ASSERT_TRUE(mod) << mod.error();
  KernelSpec spec = specOf(ElementType::BF16, channels, channels);
  spec.lse = true, spec.invariant = true;
  spec.raggedQueries = spec.raggedKeys = true;
  Result<AttentionKernel> kernel = AttentionKernel::compile(*mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  // Queries and keys of the own sequence, and of one in front and two behind.
  constexpr int32_t own = 37;
  auto run = [&](const std::vector<int32_t> &lengths, size_t place) {
    std::vector<int32_t> starts{0};
    std::vector<std::vector<double>> rows(3);
    for (size_t i = 0; i < lengths.size(); ++i) {
      starts.push_back(starts.back() + lengths[i]);
      for (unsigned t = 0; t < 3; ++t)
        for (double x :
             normal(lengths[i] * channels, spec.type, i == place ? t : t + 10))
          rows[t].push_back(i == place ? x : 3e7 * x);
    }
    int64_t total = starts.back();
    Tensor q({1, 1, total, channels}, spec.type), k = q, v = q, out = q;
    q.set(rows[0]), k.set(rows[1]), v.set(rows[2]);
    std::vector<float> lse(total, NAN);
    Placed placedStarts, placedLse;
    AttentionArguments a;
    a.query = q.onDevice(), a.key = k.onDevice(), a.value = v.onDevice();
    a.out = out.onDevice();
    a.lse = static_cast<float *>(placedLse.in(lse.data(), total * 4));
    a.queryStarts =
        a.keyStarts = {static_cast<int32_t *>(placedStarts.in(
                           starts.data(), starts.size() * sizeof(int32_t))),
                       static_cast<int64_t>(lengths.size())};
    a.stream = device().stream();
    Result<void> ran = kernel->run(a);
    EXPECT_TRUE(ran) << ran.error();
    EXPECT_TRUE(device().synchronize());
    out.fetch();
    auto from = out.bytes.begin() + starts[place] * channels * 2;
    return Bits(from, from + own * channels * 2);
  };
  Bits alone = run({own}, 0);
  EXPECT_TRUE(run({own, 100}, 0) == alone);
  EXPECT_TRUE(run({13, own, 70, 0, 5}, 1) == alone);
  EXPECT_TRUE(run({0, 0, 130, own, 1}, 3) == alone);
}

TEST(Invariant, WorkspacesAreForTheirSizes) {
  Result<Mod> mod = loadPattern("noop");
  ASSERT_TRUE(mod) << mod.error();
  device();
  KernelSpec spec = specOf(ElementType::F32, channels, channels);
  spec.invariant = true, spec.schedule = chunked();
  Result<AttentionKernel> kernel = AttentionKernel::compile(*mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  auto bytesFor = [&](int64_t batch, int64_t queries, int64_t keys) {
    Result<int64_t> bytes = kernel->workspaceBytes(
        ProblemSizes{batch, 4, 2, queries, keys, channels, channels, batch});
    EXPECT_TRUE(bytes) << bytes.error();
    return bytes ? *bytes : -1;
  };
  // Of each part 16 rows of 32 channels and 2 sums; 64 keys, or a 32nd of all.
  // Of each query tile two numbers.
  constexpr int64_t part = 16 * (32 + 2) * 4, counts = 8;
  EXPECT_EQ(bytesFor(1, 1, 1), 2 * (part + counts));
  EXPECT_EQ(bytesFor(3, 8, 65), 3 * 2 * (2 * part + counts));
  EXPECT_EQ(bytesFor(3, 9, 65), 3 * 2 * 2 * (2 * part + counts));
  EXPECT_EQ(bytesFor(1, 1, 1 << 20), 2 * (32 * part + counts));
}

TEST(InvariantMistakes, AreNamed) {
  Result<Mod> mod = loadPattern("noop");
  ASSERT_TRUE(mod) << mod.error();
  KernelSpec spec = specOf(ElementType::F32, channels, channels);
  spec.invariant = true;
  spec.schedule = "#attn.schedule<tiling = <q = 16, kv = 32, shares>>";
  Result<AttentionKernel> kernel = AttentionKernel::compile(*mod, spec);
  ASSERT_FALSE(kernel);
  EXPECT_NE(kernel.error().find("expects a schedule without 'shares' where it "
                                "is 'invariant'"),
            std::string::npos)
      << kernel.error();
  spec.schedule.clear();
  Result<GradientKernel> gradients = GradientKernel::compile(*mod, spec, {});
  ASSERT_FALSE(gradients);
  EXPECT_EQ(gradients.error(),
            "expects no KernelSpec::invariant for gradients");
}

} // namespace
