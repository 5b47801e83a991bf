// See TileHarness.h.
#include "TileHarness.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace attn;
using namespace attn::test;

DeviceTable::DeviceTable(const Table &table, std::vector<int64_t> sizes) {
  int64_t bytes = table.size() * sizeof(int32_t);
  auto made = bench::Buffer::create(device(), bytes);
  EXPECT_TRUE(made) << made.error();
  buffer = std::move(*made);
  auto copied = device().copyIn(buffer.data(), table.data(), bytes);
  EXPECT_TRUE(copied) << copied.error();
  if (sizes.empty())
    sizes = {static_cast<int64_t>(table.size())};
  views = {{buffer.data(), sizes}};
}

ProblemSizes attn::test::sizesOf(int64_t queries, int64_t keys, int64_t batch,
                                 int64_t heads) {
  ProblemSizes sizes;
  sizes.batch = batch, sizes.heads = heads;
  sizes.queries = queries, sizes.keys = keys;
  return sizes;
}

namespace {

/// What a mask keeps of one head.
struct Pairs {
  Pairs(const Keep &keep, const ProblemSizes &s, int64_t b, int64_t h)
      : sizes(s) {
    kept.reserve(s.queries * s.keys);
    for (int64_t q = 0; q < s.queries; ++q)
      for (int64_t kv = 0; kv < s.keys; ++kv)
        kept.push_back(keep(b, h, q, kv));
  }

  TileClass classOf(const TileMap &map, int64_t row, int64_t column) const {
    int64_t firstQuery = row * map.queryTile, firstKey = column * map.keyTile;
    bool some = false, all = true;
    for (int64_t q = firstQuery;
         q < std::min(firstQuery + map.queryTile, sizes.queries); ++q)
      for (int64_t kv = firstKey;
           kv < std::min(firstKey + map.keyTile, sizes.keys); ++kv) {
        bool keeps = kept[q * sizes.keys + kv];
        some |= keeps, all &= keeps;
      }
    return !some ? TileClass::Empty
           : all ? TileClass::Full
                 : TileClass::Partial;
  }

  int64_t count() const { return std::count(kept.begin(), kept.end(), true); }

  ProblemSizes sizes;
  std::vector<char> kept;
};

/// The rows of the lists against the map; `transposed` swaps rows and columns.
void expectLists(const TileFinder::Entries &lists, const TileMap &map,
                 bool transposed) {
  int64_t rows = transposed ? map.columns : map.rows;
  int64_t columns = transposed ? map.rows : map.columns;
  for (int64_t b = 0; b < map.batches; ++b)
    for (int64_t h = 0; h < map.heads; ++h) {
      int64_t first = (b * map.heads + h) * rows;
      std::vector<int32_t> seen(rows);
      size_t last = SIZE_MAX;
      for (int64_t row = 0; row < rows; ++row) {
        std::vector<int32_t> partial, full;
        for (int64_t column = 0; column < columns; ++column) {
          TileClass found = transposed ? map.at(b, h, column, row)
                                       : map.at(b, h, row, column);
          if (found != TileClass::Empty)
            (found == TileClass::Full ? full : partial).push_back(column);
        }
        EXPECT_EQ(lists.partial[first + row], partial) << "row " << row;
        EXPECT_EQ(lists.full[first + row], full) << "row " << row;
        int32_t placed = lists.order[first + row];
        ASSERT_TRUE(0 <= placed && placed < rows);
        ++seen[placed];
        size_t visits = lists.partial[first + placed].size() +
                        lists.full[first + placed].size();
        EXPECT_LE(visits, last) << "place " << row;
        last = visits;
      }
      EXPECT_EQ(seen, std::vector<int32_t>(rows, 1));
    }
}

} // namespace

void attn::test::expectTiles(const Result<TileFinder> &finder, const Keep &keep,
                             const ProblemSizes &sizes,
                             const std::vector<CaptureView> &captures) {
  ASSERT_TRUE(finder) << finder.error();
  auto lists = finder->find(sizes, captures);
  ASSERT_TRUE(lists) << lists.error();
  auto map = finder->map(*lists);
  ASSERT_TRUE(map) << map.error();
  ASSERT_EQ(map->rows, (sizes.queries + map->queryTile - 1) / map->queryTile);
  ASSERT_EQ(map->columns, (sizes.keys + map->keyTile - 1) / map->keyTile);
  int64_t count = 0;
  for (int64_t b = 0; b < map->batches; ++b)
    for (int64_t h = 0; h < map->heads; ++h) {
      Pairs pairs(keep, sizes, b, h);
      count += pairs.count();
      for (int64_t row = 0; row < map->rows; ++row)
        for (int64_t column = 0; column < map->columns; ++column)
          ASSERT_EQ(static_cast<int>(map->at(b, h, row, column)),
                    static_cast<int>(pairs.classOf(*map, row, column)))
              << "tile " << row << ", " << column << " of batch " << b
              << ", head " << h;
    }
  // The mask is the same for the batches and heads that it does not read.
  count *= (sizes.batch / map->batches) * (sizes.heads / map->heads);
  auto counted = finder->countPairs(sizes, captures);
  ASSERT_TRUE(counted) << counted.error();
  EXPECT_EQ(*counted, count);

  auto entries = finder->entries(*lists);
  ASSERT_TRUE(entries) << entries.error();
  expectLists(*entries, *map, /*transposed=*/false);
  auto transposed = finder->transpose(*lists);
  ASSERT_TRUE(transposed) << transposed.error();
  auto columns = finder->entries(*transposed);
  ASSERT_TRUE(columns) << columns.error();
  expectLists(*columns, *map, /*transposed=*/true);
}
