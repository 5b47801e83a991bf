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

/// Spans of one number of 1 to 120 positions, of which a fifth is numbered 0.
Captured spans(const ProblemSizes &s) {
  int64_t end = 0;
  int32_t number = 0, id = 0;
  return captured({std::max(s.queries, s.keys)}, [&](int64_t i) {
    if (i == end) {
      end += 1 + (++number * 7919) % 120;
      id = number % 5 ? number : 0;
    }
    return id;
  });
}
int64_t blocks(int64_t length, int64_t size) {
  return (length + size - 1) / size;
}

// Begins a body: %i, %j and %same, of the entries at the query and the key.
#define SAME_ENTRIES                                                           \
  "%i = attn.load %table[%q] : tensor<?xi32>\n"                                \
  "%j = attn.load %table[%kv] : tensor<?xi32>\n"                               \
  "%same = arith.cmpi eq, %i, %j : i32\n"

bool areSame(const Captured &t, int64_t q, int64_t kv) {
  return t.at({q}) == t.at({kv});
}

/// Masks that know a position by its block, its document or its distance, and
/// some that know it by nothing of the kind.
const Mask kinds[] = {
    {"image_span", "?xi32", SAME_ENTRIES R"(
      %some = arith.cmpi sgt, %i, %c0 : i32
      %image = arith.andi %same, %some : i1
      %causal = arith.cmpi sge, %q, %kv : i32
      %keep = arith.ori %causal, %image : i1)",
     spans,
     [](const Captured &t, int64_t, int64_t, int64_t q, int64_t kv) {
       return q >= kv || (areSame(t, q, kv) && t.at({q}) > 0);
     }},
    {"block_table", "?x?xi32", R"(
      %i = arith.divui %q, %c64 : i32
      %j = arith.divui %kv, %c64 : i32
      %entry = attn.load %table[%i, %j] : tensor<?x?xi32>
      %keep = arith.cmpi ne, %entry, %c0 : i32)",
     [](const ProblemSizes &s) {
       return captured({blocks(s.queries, 64), blocks(s.keys, 64)}, sometimes);
     },
     [](const Captured &t, int64_t, int64_t, int64_t q, int64_t kv) {
       return t.at({q / 64, kv / 64}) != 0;
     }},
    // Larger than a tile, and smaller; by floats, and not in order.
    {"float_blocks", "?x?xf32", R"(
      %c200 = arith.constant 200 : i32
      %c5 = arith.constant 5 : i32
      %i = arith.divsi %q, %c200 : i32
      %j = arith.shrui %kv, %c5 : i32
      %entry = attn.load %table[%i, %j] : tensor<?x?xf32>
      %half = arith.constant 0.5 : f32
      %keep = arith.cmpf olt, %entry, %half : f32)",
     [](const ProblemSizes &s) {
       return captured({blocks(s.queries, 200), blocks(s.keys, 32)},
                       [](int64_t i) { return sometimes(i) ? 0x7fc00000 : 0; });
     },
     [](const Captured &t, int64_t, int64_t, int64_t q, int64_t kv) {
       return t.at({q / 200, kv / 32}) == 0;
     }},
    {"blocks_of_heads", "?x?x?xi32", R"(
      %c16 = arith.constant 16 : i32
      %i = arith.divui %q, %c16 : i32
      %j = arith.divui %kv, %c64 : i32
      %entry = attn.load %table[%h, %i, %j] : tensor<?x?x?xi32>
      %keep = arith.cmpi eq, %entry, %c0 : i32)",
     [](const ProblemSizes &s) {
       return captured({s.heads, blocks(s.queries, 16), blocks(s.keys, 64)},
                       sometimes);
     },
     [](const Captured &t, int64_t, int64_t h, int64_t q, int64_t kv) {
       return t.at({h, q / 16, kv / 64}) == 0;
     }},
    {"big_bird", "?x?xi32", R"(
      %c100 = arith.constant 100 : i32
      %i = arith.divui %q, %c64 : i32
      %j = arith.divui %kv, %c64 : i32
      %entry = attn.load %table[%i, %j] : tensor<?x?xi32>
      %random = arith.cmpi ne, %entry, %c0 : i32
      %all = arith.cmpi slt, %q, %c64 : i32
      %ofAll = arith.cmpi slt, %kv, %c64 : i32
      %d = arith.subi %q, %kv : i32
      %dBack = arith.subi %c0, %d : i32
      %far = arith.maxsi %d, %dBack : i32
      %near = arith.cmpi sle, %far, %c100 : i32
      %x = arith.ori %all, %ofAll : i1
      %y = arith.ori %near, %random : i1
      %keep = arith.ori %x, %y : i1)",
     [](const ProblemSizes &s) {
       return captured({blocks(s.queries, 64), blocks(s.keys, 64)}, sometimes);
     },
     [](const Captured &t, int64_t, int64_t, int64_t q, int64_t kv) {
       return q < 64 || kv < 64 || std::abs(q - kv) <= 100 ||
              t.at({q / 64, kv / 64}) != 0;
     }},
    // By a map of the blocks, as lists of chosen blocks have it.
    {"mapped_blocks", "?xi32", R"(
      %i = arith.divui %q, %c64 : i32
      %j = arith.divui %kv, %c64 : i32
      %x = attn.load %table[%i] : tensor<?xi32>
      %y = attn.load %table[%j] : tensor<?xi32>
      %d = arith.subi %x, %y : i32
      %r = arith.remsi %d, %c3 : i32
      %keep = arith.cmpi eq, %r, %c0 : i32)",
     [](const ProblemSizes &s) {
       return captured({blocks(std::max(s.queries, s.keys), 64)},
                       [](int64_t i) { return static_cast<int32_t>(i * i); });
     },
     [](const Captured &t, int64_t, int64_t, int64_t q, int64_t kv) {
       return (t.at({q / 64}) - t.at({kv / 64})) % 3 == 0;
     }},
    {"packed_documents", "?xi32",
     SAME_ENTRIES "%keep = arith.cmpi eq, %i, %j : i32",
     [](const ProblemSizes &s) {
       return captured({std::max(s.queries, s.keys)}, [](int64_t i) {
         return static_cast<int32_t>((i / 45 * 7919) % 1009);
       });
     },
     [](const Captured &t, int64_t, int64_t, int64_t q, int64_t kv) {
       return areSame(t, q, kv);
     }},
    // Tokens of two take turns, so that classes are no runs.
    {"two_speakers", "?xi32",
     SAME_ENTRIES "%keep = arith.cmpi eq, %i, %j : i32",
     [](const ProblemSizes &s) {
       return captured({std::max(s.queries, s.keys)}, [](int64_t i) {
         return static_cast<int32_t>((i / 99 * 7919) % 10 * 2 + i % 2);
       });
     },
     [](const Captured &t, int64_t, int64_t, int64_t q, int64_t kv) {
       return areSame(t, q, kv);
     }},
    // More classes in a tile than are told apart, hardly a pair of them kept.
    {"many_classes", "?xi32", SAME_ENTRIES R"(
      %causal = arith.cmpi sge, %q, %kv : i32
      %keep = arith.andi %same, %causal : i1)",
     [](const ProblemSizes &s) {
       return captured({std::max(s.queries, s.keys)}, [](int64_t i) {
         return static_cast<int32_t>(i * 2654435761u % 400);
       });
     },
     [](const Captured &t, int64_t, int64_t, int64_t q, int64_t kv) {
       return q >= kv && areSame(t, q, kv);
     }},
    {"dense", "?x?xi32", R"(
      %entry = attn.load %table[%q, %kv] : tensor<?x?xi32>
      %keep = arith.cmpi ne, %entry, %c0 : i32)",
     [](const ProblemSizes &s) {
       int64_t keys = std::max<int64_t>(s.keys, 1);
       return captured({s.queries, keys}, [=](int64_t i) {
         int64_t q = i / keys, kv = i % keys;
         return q % 100 == 99 && kv % 130 == 1
                    ? 1
                    : sometimes(q / 150 * 9 + kv / 70);
       });
     },
     [](const Captured &t, int64_t, int64_t, int64_t q, int64_t kv) {
       return t.at({q, kv}) != 0;
     }},
    // By the query's own bits, a key at a time.
    {"bits_of_keys", "?xi32", R"(
      %c31 = arith.constant 31 : i32
      %c5 = arith.constant 5 : i32
      %word = attn.load %table[%q] : tensor<?xi32>
      %block = arith.shrui %kv, %c5 : i32
      %bit = arith.andi %block, %c31 : i32
      %shifted = arith.shrui %word, %bit : i32
      %last = arith.andi %shifted, %c1 : i32
      %keep = arith.cmpi ne, %last, %c0 : i32)",
     [](const ProblemSizes &s) {
       return captured({s.queries}, [](int64_t i) {
         return static_cast<int32_t>((i / 50 + 1) * 2654435761u);
       });
     },
     [](const Captured &t, int64_t, int64_t, int64_t q, int64_t kv) {
       return (static_cast<uint32_t>(t.at({q})) >> kv / 32 % 32 & 1) != 0;
     }},
    {"neighborhood", "?xi32", R"(
      %width = arith.constant 30 : i32
      %i = arith.divui %q, %width : i32
      %j = arith.divui %kv, %width : i32
      %x = arith.remui %q, %width : i32
      %y = arith.remui %kv, %width : i32
      %down = arith.subi %i, %j : i32
      %right = arith.subi %x, %y : i32
      %downBack = arith.subi %c0, %down : i32
      %rows = arith.maxsi %down, %downBack : i32
      %rightBack = arith.subi %c0, %right : i32
      %columns = arith.maxsi %right, %rightBack : i32
      %nearRow = arith.cmpi sle, %rows, %c3 : i32
      %nearColumn = arith.cmpi sle, %columns, %c2 : i32
      %keep = arith.andi %nearRow, %nearColumn : i1)",
     nothing,
     [](const Captured &, int64_t, int64_t, int64_t q, int64_t kv) {
       return std::abs(q / 30 - kv / 30) <= 3 &&
              std::abs(q % 30 - kv % 30) <= 2;
     }},
    // Distances: tiles that keep none of them, one, or all.
    {"powers", "?xi32", R"(
      %d = arith.subi %q, %kv : i32
      %less = arith.subi %d, %c1 : i32
      %bits = arith.andi %d, %less : i32
      %isPower = arith.cmpi eq, %bits, %c0 : i32
      %causal = arith.cmpi sge, %q, %kv : i32
      %keep = arith.andi %isPower, %causal : i1)",
     nothing,
     [](const Captured &, int64_t, int64_t, int64_t q, int64_t kv) {
       return q >= kv && ((q - kv) & (q - kv - 1)) == 0;
     }},
    {"distances", "?xi32", R"(
      %most = arith.constant 900 : i32
      %d = arith.subi %kv, %q : i32
      %i = arith.addi %d, %most : i32
      %entry = attn.load %table[%i] : tensor<?xi32>
      %zero = arith.cmpi eq, %entry, %c0 : i32
      %one = arith.cmpi eq, %entry, %c1 : i32
      %first = arith.cmpi slt, %kv, %c64 : i32
      %x = arith.andi %one, %first : i1
      %keep = arith.ori %zero, %x : i1)",
     [](const ProblemSizes &) {
       return captured({1801}, [](int64_t i) {
         return static_cast<int32_t>(i / 170 % 3) - (i % 500 == 7);
       });
     },
     [](const Captured &t, int64_t, int64_t, int64_t q, int64_t kv) {
       int32_t entry = t.at({kv - q + 900});
       return entry == 0 || (entry == 1 && kv < 64);
     }},
    // Distances and documents, and what a branch reads.
    {"near_documents", "?xi32", SAME_ENTRIES R"(
      %d = arith.subi %q, %kv : i32
      %r = arith.remsi %d, %c64 : i32
      %aligned = arith.cmpi eq, %r, %c3 : i32
      %branch = scf.if %same -> (i1) {
        %sum = arith.addi %i, %kv : i32
        %bit = arith.andi %sum, %c64 : i32
        %set = arith.cmpi ne, %bit, %c0 : i32
        scf.yield %set : i1
      } else {
        scf.yield %aligned : i1
      }
      %far = arith.cmpi sge, %q, %kv : i32
      %keep = arith.andi %branch, %far : i1)",
     spans,
     [](const Captured &t, int64_t, int64_t, int64_t q, int64_t kv) {
       return q >= kv && (areSame(t, q, kv) ? ((t.at({q}) + kv) & 64) != 0
                                            : (q - kv) % 64 == 3);
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

class KindsOfTiles : public TilesOf {};

TEST_P(KindsOfTiles, EqualBruteForce) {
  auto mod = modOf(GetParam());
  ASSERT_TRUE(mod) << mod.error();
  for (auto [queryTile, keyTile] :
       {std::pair<int64_t, int64_t>{64, 64}, {192, 80}}) {
    auto finder =
        TileFinder::compile(*mod, selectedTarget(), queryTile, keyTile);
    check(GetParam(), finder, sizesOf(641, 701));
    check(GetParam(), finder, sizesOf(257, 33, 1, 2));
  }
}

INSTANTIATE_TEST_SUITE_P(Masks, KindsOfTiles, testing::ValuesIn(kinds), nameOf);
INSTANTIATE_TEST_SUITE_P(Masks, TilesOf, testing::ValuesIn(alternating),
                         nameOf);

} // namespace
