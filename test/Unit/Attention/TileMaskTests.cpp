// Masks that inequalities do not describe: what compiled code finds of their
// tiles and pairs, against brute force.
#include "TileHarness.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

using namespace attn;
using namespace attn::test;

namespace {

/// What a mask reads beside positions.
struct Captured {
  Table entries;
  std::vector<int64_t> sizes;
  int32_t at(std::initializer_list<int64_t> indices) const {
    int64_t i = 0, dimension = 0;
    for (int64_t index : indices)
      i = i * sizes[dimension++] + index;
    return entries[i];
  }
};

/// Entry number i of a table of these sizes is value(i).
Captured captured(std::vector<int64_t> sizes,
                  const std::function<int32_t(int64_t)> &value) {
  int64_t count = 1;
  for (int64_t size : sizes)
    count *= size;
  Captured table{{}, std::move(sizes)};
  for (int64_t i = 0; i < count; ++i)
    table.entries.push_back(value(i));
  return table;
}
/// Every fourth number or so is 1; no period.
int32_t sometimes(int64_t i) {
  uint32_t x = static_cast<uint32_t>(i) * 2654435761u;
  return (x ^ x >> 15) % 4 == 0;
}

struct Mask {
  const char *name;
  const char *table; ///< its type
  const char *body;  ///< yields %keep; %c0, %c1, %c64 are constants
  Captured (*capture)(const ProblemSizes &);
  bool (*keep)(const Captured &, int64_t b, int64_t h, int64_t q, int64_t kv);
};

Captured nothing(const ProblemSizes &) {
  return captured({1}, [](int64_t) { return 0; });
}

/// Every pair differs from its neighbours, and lengths are odd.
const Mask alternating[] = {
    {"parity", "?xi32", R"(
      %s = arith.addi %q, %kv : i32
      %r = arith.andi %s, %c1 : i32
      %keep = arith.cmpi eq, %r, %c0 : i32)",
     nothing,
     [](const Captured &, int64_t, int64_t, int64_t q, int64_t kv) {
       return (q + kv) % 2 == 0;
     }},
    {"causal_parity", "?xi32", R"(
      %s = arith.xori %q, %kv : i32
      %r = arith.remui %s, %c2 : i32
      %odd = arith.cmpi ne, %r, %c0 : i32
      %causal = arith.cmpi sge, %q, %kv : i32
      %keep = arith.andi %odd, %causal : i1)",
     nothing,
     [](const Captured &, int64_t, int64_t, int64_t q, int64_t kv) {
       return q >= kv && (q + kv) % 2 == 1;
     }},
    {"odd_queries", "?xi32", R"(
      %r = arith.andi %q, %c1 : i32
      %keep = arith.cmpi eq, %r, %c1 : i32)",
     nothing,
     [](const Captured &, int64_t, int64_t, int64_t q, int64_t) {
       return q % 2 == 1;
     }},
    {"odd_keys", "?xi32", R"(
      %r = arith.andi %kv, %c1 : i32
      %keep = arith.cmpi eq, %r, %c1 : i32)",
     nothing,
     [](const Captured &, int64_t, int64_t, int64_t, int64_t kv) {
       return kv % 2 == 1;
     }},
    {"every_third", "?xi32", R"(
      %d = arith.subi %q, %kv : i32
      %r = arith.remsi %d, %c3 : i32
      %keep = arith.cmpi eq, %r, %c0 : i32)",
     nothing,
     [](const Captured &, int64_t, int64_t, int64_t q, int64_t kv) {
       return (q - kv) % 3 == 0;
     }},
    {"every_fourth", "?xi32", R"(
      %d = arith.subi %q, %kv : i32
      %r = arith.andi %d, %c3 : i32
      %keep = arith.cmpi eq, %r, %c1 : i32)",
     nothing,
     [](const Captured &, int64_t, int64_t, int64_t q, int64_t kv) {
       return ((q - kv) & 3) == 1;
     }},
    // Batches and heads differ.
    {"parity_of_heads", "?xi32", R"(
      %i = arith.addi %b, %h : i32
      %s = arith.addi %q, %kv : i32
      %t = arith.addi %s, %i : i32
      %r = arith.andi %t, %c1 : i32
      %keep = arith.cmpi eq, %r, %c0 : i32)",
     nothing,
     [](const Captured &, int64_t b, int64_t h, int64_t q, int64_t kv) {
       return (b + h + q + kv) % 2 == 0;
     }},
    // Bits of the position, where they have no period.
    {"table_parity", "?xi32", R"(
      %x = attn.load %table[%q] : tensor<?xi32>
      %y = attn.load %table[%kv] : tensor<?xi32>
      %keep = arith.cmpi ne, %x, %y : i32)",
     [](const ProblemSizes &s) {
       return captured({std::max(s.queries, s.keys)}, sometimes);
     },
     [](const Captured &t, int64_t, int64_t, int64_t q, int64_t kv) {
       return t.at({q}) != t.at({kv});
     }},
};

Result<Mod> modOf(const Mask &mask) {
  return Mod::fromSource(std::string("attn.mod @mask(%table: tensor<") +
                             mask.table +
                             ">) mask(%b: i32, %h: i32, %q: i32, %kv: i32) {\n"
                             "%c0 = arith.constant 0 : i32\n"
                             "%c1 = arith.constant 1 : i32\n"
                             "%c2 = arith.constant 2 : i32\n"
                             "%c3 = arith.constant 3 : i32\n"
                             "%c64 = arith.constant 64 : i32\n" +
                             mask.body + "\nattn.yield %keep : i1\n}\n",
                         mask.name);
}

void check(const Mask &mask, const Result<TileFinder> &finder,
           const ProblemSizes &sizes) {
  Captured table = mask.capture(sizes);
  DeviceTable onDevice(table.entries, table.sizes);
  expectTiles(
      finder,
      [&](int64_t b, int64_t h, int64_t q, int64_t kv) {
        return mask.keep(table, b, h, q, kv);
      },
      sizes, onDevice.views);
}

class TilesOf : public testing::TestWithParam<Mask> {};

/// The lengths of which a GPU once counted 384 pairs too few.
TEST_P(TilesOf, OddLengths) {
  auto mod = modOf(GetParam());
  ASSERT_TRUE(mod) << mod.error();
  for (auto [queryTile, keyTile] :
       {std::pair<int64_t, int64_t>{64, 64}, {128, 128}, {48, 112}}) {
    auto finder =
        TileFinder::compile(*mod, selectedTarget(), queryTile, keyTile);
    if (queryTile == 64)
      check(GetParam(), finder, sizesOf(1537, 2049, 1, 1));
    check(GetParam(), finder, sizesOf(131, 257));
    check(GetParam(), finder, sizesOf(65, 1));
    check(GetParam(), finder, sizesOf(1, 65));
  }
}

std::string nameOf(const testing::TestParamInfo<Mask> &info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Masks, TilesOf, testing::ValuesIn(alternating),
                         nameOf);

} // namespace
