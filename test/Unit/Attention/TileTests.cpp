// Tile lists: masks that are composed of others against brute force, and how
// lists are used.
#include "TileHarness.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <numeric>

using namespace attn;
using namespace attn::test;

namespace {

/// The masks that programs are composed of.
constexpr const char *helpers = R"(
attn.mod @causal
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %keep = arith.cmpi sge, %q, %kv : i32
    attn.yield %keep : i1
  }
attn.mod @window
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %size = arith.constant 100 : i32
    %causal = attn.apply_mask @causal[%b, %h, %q, %kv]
    %d = arith.subi %q, %kv : i32
    %near = arith.cmpi sle, %d, %size : i32
    %keep = arith.andi %causal, %near : i1
    attn.yield %keep : i1
  }
attn.mod @prefix
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %size = arith.constant 200 : i32
    %keep = arith.cmpi slt, %kv, %size : i32
    attn.yield %keep : i1
  }
attn.mod @documents(%table: tensor<?xi32>)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %i = attn.load %table[%q] : tensor<?xi32>
    %j = attn.load %table[%kv] : tensor<?xi32>
    %keep = arith.cmpi eq, %i, %j : i32
    attn.yield %keep : i1
  }
attn.mod @composed(%table: tensor<?xi32>)
  mask(%b: i32, %h: i32, %q: i32, %kv: i32) {
    %true = arith.constant true
    %causal = attn.apply_mask @causal[%b, %h, %q, %kv]
    %window = attn.apply_mask @window[%b, %h, %q, %kv]
    %prefix = attn.apply_mask @prefix[%b, %h, %q, %kv]
    %documents = attn.apply_mask @documents(%table)[%b, %h, %q, %kv] : tensor<?xi32>
)";

struct Mask {
  const char *name;
  const char *body; ///< of @composed, which yields %keep
  std::function<bool(const Table &, int64_t b, int64_t h, int64_t q,
                     int64_t kv)>
      keep;
};

bool causal(int64_t q, int64_t kv) { return q >= kv; }
bool window(int64_t q, int64_t kv) { return q >= kv && q - kv <= 100; }
bool prefix(int64_t kv) { return kv < 200; }

const Mask masks[] = {
    {"documents", "%keep = arith.andi %documents, %causal : i1",
     [](const Table &t, int64_t, int64_t, int64_t q, int64_t kv) {
       return t[q] == t[kv] && causal(q, kv);
     }},
    {"other_documents", "%keep = arith.xori %documents, %true : i1",
     [](const Table &t, int64_t, int64_t, int64_t q, int64_t kv) {
       return t[q] != t[kv];
     }},
    {"documents_or_window", "%keep = arith.ori %documents, %window : i1",
     [](const Table &t, int64_t, int64_t, int64_t q, int64_t kv) {
       return t[q] == t[kv] || window(q, kv);
     }},
    {"window_and_prefix", "%keep = arith.ori %window, %prefix : i1",
     [](const Table &, int64_t, int64_t, int64_t q, int64_t kv) {
       return window(q, kv) || prefix(kv);
     }},
    {"outside_window", R"(%out = arith.xori %window, %true : i1
    %keep = arith.andi %out, %causal : i1)",
     [](const Table &, int64_t, int64_t, int64_t q, int64_t kv) {
       return causal(q, kv) && !window(q, kv);
     }},
    // Heads differ: every second one sees everything before it.
    {"head_groups", R"(%one = arith.constant 1 : i32
    %zero = arith.constant 0 : i32
    %bit = arith.andi %h, %one : i32
    %even = arith.cmpi eq, %bit, %zero : i32
    %keep = arith.select %even, %causal, %window : i1)",
     [](const Table &, int64_t, int64_t h, int64_t q, int64_t kv) {
       return h % 2 == 0 ? causal(q, kv) : window(q, kv);
     }},
    // Dilated: nothing that intervals decide where it is not causal or far.
    {"dilated", R"(%three = arith.constant 3 : i32
    %zero = arith.constant 0 : i32
    %d = arith.subi %q, %kv : i32
    %r = arith.remsi %d, %three : i32
    %even = arith.cmpi eq, %r, %zero : i32
    %keep = arith.andi %even, %window : i1)",
     [](const Table &, int64_t, int64_t, int64_t q, int64_t kv) {
       return window(q, kv) && (q - kv) % 3 == 0;
     }},
    {"xor", R"(%x = arith.xori %q, %kv : i32
    %limit = arith.constant 128 : i32
    %keep = arith.cmpi slt, %x, %limit : i32)",
     [](const Table &, int64_t, int64_t, int64_t q, int64_t kv) {
       return (q ^ kv) < 128;
     }},
    {"nothing", "%keep = arith.constant false",
     [](const Table &, int64_t, int64_t, int64_t, int64_t) { return false; }},
    {"batch_lengths", R"(%n = attn.load %table[%b] : tensor<?xi32>
    %many = arith.constant 70 : i32
    %length = arith.muli %n, %many : i32
    %keep = arith.cmpi slt, %kv, %length : i32)",
     [](const Table &t, int64_t b, int64_t, int64_t, int64_t kv) {
       return kv < t[b] * 70;
     }},
};

Result<Mod> modOf(const Mask &mask) {
  return Mod::fromSource(std::string(helpers) + "    " + mask.body +
                             "\n    attn.yield %keep : i1\n  }\n",
                         mask.name);
}

/// Documents one after the other, or thrown together.
Table tableOf(int64_t length, bool sorted) {
  Table table(length);
  for (int64_t i = 0; i < length; ++i)
    table[i] = sorted ? static_cast<int32_t>(i / 90 + 1)
                      : static_cast<int32_t>((i * 7919) % 13);
  return table;
}

class Tiles : public testing::TestWithParam<Mask> {};

TEST_P(Tiles, EqualBruteForce) {
  auto mod = modOf(GetParam());
  ASSERT_TRUE(mod) << mod.error();
  for (int64_t tile : {64, 128}) {
    auto finder = TileFinder::compile(*mod, selectedTarget(), tile, tile);
    for (bool sorted : {true, false}) {
      Table table = tableOf(701, sorted);
      DeviceTable onDevice(table);
      Keep keep = [&](int64_t b, int64_t h, int64_t q, int64_t kv) {
        return GetParam().keep(table, b, h, q, kv);
      };
      expectTiles(finder, keep, sizesOf(641, 701), onDevice.views);
    }
  }
}

TEST_P(Tiles, OddLengths) {
  auto mod = modOf(GetParam());
  ASSERT_TRUE(mod) << mod.error();
  Table table = tableOf(130, true);
  DeviceTable onDevice(table);
  Keep keep = [&](int64_t b, int64_t h, int64_t q, int64_t kv) {
    return GetParam().keep(table, b, h, q, kv);
  };
  auto finder = TileFinder::compile(*mod, selectedTarget(), 64, 64);
  for (auto [queries, keys] : {std::pair<int64_t, int64_t>{1, 1},
                               {1, 130},
                               {130, 1},
                               {0, 5},
                               {5, 0},
                               {64, 128},
                               {65, 129}})
    expectTiles(finder, keep, sizesOf(queries, keys), onDevice.views);
}

INSTANTIATE_TEST_SUITE_P(Masks, Tiles, testing::ValuesIn(masks),
                         [](const auto &info) {
                           return std::string(info.param.name);
                         });

/// Attention through lists: given, found for the call, and made again in place.
TEST(TileLists, AreReusedAndChecked) {
  auto mod = modOf(masks[0]);
  ASSERT_TRUE(mod) << mod.error();
  Table first = tableOf(300, true), second = tableOf(300, false);
  auto finder = TileFinder::compile(*mod, selectedTarget(), 64, 64);
  ASSERT_TRUE(finder) << finder.error();
  ProblemSizes sizes = sizesOf(300, 300);
  DeviceTable a(first), b(second);
  auto lists = finder->find(sizes, a.views);
  ASSERT_TRUE(lists) << lists.error();
  int64_t bytes = lists->bytes();
  EXPECT_GT(bytes, 0);
  auto again = finder->find(sizes, b.views, nullptr, *lists);
  ASSERT_TRUE(again) << again.error();
  EXPECT_EQ(again->bytes(), bytes);
  auto fresh = finder->find(sizes, b.views);
  ASSERT_TRUE(fresh) << fresh.error();
  auto reused = finder->entries(*again), expected = finder->entries(*fresh);
  ASSERT_TRUE(reused && expected);
  EXPECT_EQ(reused->partial, expected->partial);
  EXPECT_EQ(reused->full, expected->full);
  EXPECT_EQ(reused->order, expected->order);

  auto transposed = finder->transpose(*lists);
  ASSERT_TRUE(transposed) << transposed.error();
  auto twice = finder->transpose(*transposed);
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error(),
            "expects lists for query tiles, got transposed ones");
  auto few = finder->find(sizes, {});
  ASSERT_FALSE(few);
  EXPECT_EQ(few.error(), "expects 1 captures, got 0");
}

TEST(TileLists, BelongToOneProblem) {
  auto mod = modOf(masks[0]);
  ASSERT_TRUE(mod) << mod.error();
  KernelSpec spec;
  spec.target = selectedTarget();
  spec.headDim = spec.valueDim = 16;
  auto kernel = AttentionKernel::compile(*mod, spec);
  ASSERT_TRUE(kernel) << kernel.error();
  ASSERT_TRUE(kernel->needsTileLists());
  DeviceTable table(tableOf(200, true));
  auto lists = kernel->findTiles(sizesOf(100, 200), table.views);
  ASSERT_TRUE(lists) << lists.error();
  auto memory = bench::Buffer::create(device(), 2 * 3 * 200 * 16 * 4);
  ASSERT_TRUE(memory) << memory.error();
  auto view = [&](int64_t length) {
    TensorView view;
    view.data = memory->data();
    view.sizes = {2, 3, length, 16};
    view.strides = {3 * length * 16, length * 16, 16};
    return view;
  };
  auto ran = kernel->run(view(101), view(200), view(200), table.views,
                         view(101), nullptr, nullptr, &*lists);
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error(), "expects 'tiles' number of queries 101, got 100");
}

/// A mask of 2^40 pairs: its cost is that of its 2^26 tiles. The time goes into
/// the report, as a property; of several runs the last, since the first loads
/// code.
TEST(TileLists, OfAMillionKeys) {
  auto mod = loadPattern("document_mask");
  ASSERT_TRUE(mod) << mod.error();
  ProblemSizes sizes;
  sizes.heads = 16;
  sizes.queries = sizes.keys = interpreted() ? 1 << 17 : 1 << 20;
  Table documents(sizes.keys);
  for (int64_t i = 0; i < sizes.keys; ++i)
    documents[i] = static_cast<int32_t>(i / 33000);
  DeviceTable onDevice(documents);
  constexpr int64_t tile = 128;
  auto finder = TileFinder::compile(*mod, selectedTarget(), tile, tile);
  ASSERT_TRUE(finder) << finder.error();
  TileLists lists;
  double seconds = 0;
  for (int run = 0; run < 3; ++run) {
    auto start = std::chrono::steady_clock::now();
    auto found = finder->find(sizes, onDevice.views, device().stream(), lists);
    ASSERT_TRUE(found) << found.error();
    lists = *found;
    auto finished = device().synchronize();
    ASSERT_TRUE(finished) << finished.error();
    std::chrono::duration<double> time =
        std::chrono::steady_clock::now() - start;
    seconds = time.count();
  }
  std::printf("lists of %lld keys: %.2f ms, %.1f MiB\n",
              static_cast<long long>(sizes.keys), seconds * 1e3,
              lists.bytes() / 0x1p20);
  RecordProperty("seconds", std::to_string(seconds));
  EXPECT_LE(lists.bytes(), int64_t(256) << 20);

  auto entries = finder->entries(lists, device().stream());
  ASSERT_TRUE(entries) << entries.error();
  int64_t rows = sizes.queries / tile;
  for (int64_t row : {int64_t(0), int64_t(1), int64_t(257), int64_t(258),
                      rows / 2 - 96, rows - 1}) {
    std::vector<int32_t> partial, full;
    for (int64_t column = 0; column < sizes.keys / tile; ++column) {
      // Documents are sorted: those of a tile are those of its ends.
      int64_t q0 = row * tile, q1 = q0 + tile - 1;
      int64_t kv0 = column * tile, kv1 = kv0 + tile - 1;
      bool some = kv0 <= q1 && documents[kv1] >= documents[q0] &&
                  documents[kv0] <= documents[q1];
      bool all = kv1 <= q0 && documents[kv0] == documents[q1];
      if (some)
        (all ? full : partial).push_back(static_cast<int32_t>(column));
    }
    EXPECT_EQ(entries->partial[row], partial) << "row " << row;
    EXPECT_EQ(entries->full[row], full) << "row " << row;
  }
}

/// A list of one batch or head is enough only where the mask does not read it.
TEST(TileLists, CoverWhatTheMaskReads) {
  DeviceTable table(tableOf(200, true));
  auto memory = bench::Buffer::create(device(), 2 * 3 * 200 * 16 * 4);
  ASSERT_TRUE(memory) << memory.error();
  TensorView view;
  view.data = memory->data();
  view.sizes = {2, 3, 200, 16};
  view.strides = {3 * 200 * 16, 200 * 16, 16};
  auto run = [&](const char *name, int64_t batch, int64_t heads) {
    auto *mask = std::find_if(std::begin(masks), std::end(masks), [&](auto &m) {
      return m.name == std::string(name);
    });
    auto mod = modOf(*mask);
    EXPECT_TRUE(mod) << mod.error();
    KernelSpec spec;
    spec.target = selectedTarget();
    spec.headDim = spec.valueDim = 16;
    auto kernel = AttentionKernel::compile(*mod, spec);
    EXPECT_TRUE(kernel) << kernel.error();
    ProblemSizes sizes = sizesOf(200, 200);
    sizes.batch = batch, sizes.heads = heads;
    auto lists = kernel->findTiles(sizes, table.views);
    EXPECT_TRUE(lists) << lists.error();
    auto ran = kernel->run(view, view, view, table.views, view, nullptr,
                           device().stream(), &*lists);
    EXPECT_TRUE(device().synchronize());
    return ran ? std::string() : ran.error();
  };
  EXPECT_EQ(run("documents", 1, 1), "");
  EXPECT_EQ(run("head_groups", 1, 1),
            "expects 'tiles' number of heads 3, got 1");
  EXPECT_EQ(run("head_groups", 1, 3), "");
}

TEST(MaskAnalysis, SaysWhatItUnderstands) {
  auto mod = modOf(masks[7]);
  ASSERT_TRUE(mod) << mod.error();
  MaskAnalysis analysis = analyzeMask(*mod);
  EXPECT_TRUE(analysis.needsLists);
  EXPECT_NE(analysis.text.find("keeps: slt(xori(q, kv), 128)"),
            std::string::npos)
      << analysis.text;
  ASSERT_EQ(analysis.remarks.size(), 1u);
  EXPECT_NE(analysis.remarks[0].find("cannot be bounded through 'arith.xori'"),
            std::string::npos)
      << analysis.remarks[0];

  auto window = loadPattern("sliding_window");
  ASSERT_TRUE(window) << window.error();
  EXPECT_FALSE(analyzeMask(*window).needsLists);
}

} // namespace
