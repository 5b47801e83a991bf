// The tiles of a backend whose kernel visits some of the score matrix's.
#ifndef ATTN_BENCH_BACKENDS_TILELISTSOURCE_H
#define ATTN_BENCH_BACKENDS_TILELISTSOURCE_H

#include "attn/API/Result.h"

#include <cstdint>

namespace attn::bench {

class TileListSource {
public:
  virtual ~TileListSource() = default;
  struct TileSize {
    int64_t query, key;
  };
  virtual TileSize tileSize() const = 0;
  /// Whether the backend made lists of the tiles to visit when it got ready,
  /// which a user makes anew when a captured tensor changes.
  virtual bool makesLists() const = 0;
  /// Makes them again, enqueued like a run.
  virtual Result<void> makeLists() = 0;
};

} // namespace attn::bench

#endif // ATTN_BENCH_BACKENDS_TILELISTSOURCE_H
