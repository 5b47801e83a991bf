// Exact counts of unmasked pairs and of tiles.
#include "cases/Work.h"

#include "attn/Support/Try.h"

#include <algorithm>

using namespace attn;
using namespace attn::bench;

/// Tiles of which pairs are counted; of any size.
static constexpr int64_t countingTile = 64;
/// Up to so many queries it matters which keys they read, and it is counted in
/// tiles of so many.
static constexpr int64_t fewQueries = 64, keyGrain = 16;
/// Evaluating more pairs would take longer than the measurement.
static constexpr double maxEvaluated = 0x1p33;

Result<const TileFinder *>
WorkCounter::finderFor(const Mod &mod, int64_t queryTile, int64_t keyTile) {
  std::tuple key(&mod.impl(), queryTile, keyTile);
  auto found = finders.find(key);
  if (found == finders.end()) {
    mods.push_back(mod);
    found = finders
                .emplace(key, TileFinder::compile(mod, Target::CPU, queryTile,
                                                  keyTile))
                .first;
  }
  ATTN_TRY(found->second);
  return &*found->second;
}

Result<TileCounts>
WorkCounter::countTiles(const Mod &mod, const ProblemSizes &sizes,
                        const std::vector<CaptureData> &captures,
                        int64_t queryTile, int64_t keyTile) {
  ATTN_TRY_ASSIGN(const TileFinder *finder, finderFor(mod, queryTile, keyTile));
  ATTN_TRY_ASSIGN(TileLists lists, finder->find(sizes, viewsOf(captures)));
  ATTN_TRY_ASSIGN(TileMap map, finder->map(lists));
  double repeats = 1;
  if (map.batches != sizes.batch)
    repeats *= sizes.batch;
  if (map.heads != sizes.heads)
    repeats *= sizes.heads;
  TileCounts result;
  result.all = repeats * map.tiles.size();
  result.partial = repeats * map.count(TileClass::Partial);
  result.full = repeats * map.count(TileClass::Full);
  return result;
}

Result<int64_t> WorkCounter::count(const Mod &mod, const ProblemSizes &sizes,
                                   const std::vector<CaptureData> &captures) {
  if (!mod.hasMask())
    return sizes.batch * sizes.heads * sizes.queries * sizes.keys;
  auto failed = [](const std::string &reason) {
    return Error{"the unmasked pairs cannot be counted: " + reason};
  };
  Result<TileCounts> tiles =
      countTiles(mod, sizes, captures, countingTile, countingTile);
  if (!tiles)
    return failed(tiles.error());
  if (tiles->partial * countingTile * countingTile > maxEvaluated)
    return failed("too many");
  Result<const TileFinder *> finder =
      finderFor(mod, countingTile, countingTile);
  if (!finder)
    return failed(finder.error());
  Result<int64_t> pairs = (*finder)->countPairs(sizes, viewsOf(captures));
  if (!pairs)
    return failed(pairs.error());
  return *pairs;
}

Result<double>
WorkCounter::countKeysRead(const Mod &mod, const ProblemSizes &sizes,
                           const std::vector<CaptureData> &captures,
                           double there) {
  if (!mod.hasMask())
    return sizes.queries ? there : 0;
  ATTN_TRY_ASSIGN(int64_t pairs, countPairs(mod, sizes, captures));
  double group = double(sizes.heads) / sizes.kvHeads;
  if (sizes.queries == 1)
    return std::min(there, pairs / group);
  if (sizes.queries > fewQueries)
    return std::min(there, double(pairs));
  int64_t rows = (sizes.queries + keyGrain - 1) / keyGrain * keyGrain;
  ATTN_TRY_ASSIGN(TileCounts tiles,
                  countTiles(mod, sizes, captures, rows, keyGrain));
  return std::min(there, tiles.visited() * keyGrain / group);
}

/// Where queries stand, and how many keys there are.
static std::vector<std::byte>
positionsIn(const Mod &mod, const std::vector<CaptureData> &captures) {
  std::vector<std::byte> bytes;
  for (size_t i = 0; i < captures.size(); ++i)
    if (mod.captures()[i].isQueryOffset || mod.captures()[i].isLengths)
      bytes.insert(bytes.end(), captures[i].bytes.begin(),
                   captures[i].bytes.end());
  return bytes;
}

Result<int64_t>
WorkCounter::countPairs(const Mod &mod, const ProblemSizes &sizes,
                        const std::vector<CaptureData> &captures) {
  Key key{&mod.impl(),
          sizes.batch,
          sizes.heads,
          sizes.queries,
          sizes.keys,
          sizes.sequences,
          positionsIn(mod, captures)};
  auto found = counts.find(key);
  if (found == counts.end())
    found = counts.emplace(key, count(mod, sizes, captures)).first;
  return found->second;
}
