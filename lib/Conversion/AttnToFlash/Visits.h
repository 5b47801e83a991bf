// Which tiles of one axis a kernel's task visits, and which of them have pairs
// to leave out: from the mask's bounds, where these are one run, or from lists.
#ifndef ATTN_CONVERSION_ATTNTOFLASH_VISITS_H
#define ATTN_CONVERSION_ATTNTOFLASH_VISITS_H

#include "TileBuilder.h"

#include "attn/Analysis/Intervals.h"

#include <memory>

namespace mlir::attn {

/// See attn/Conversion/TileLists.h.
struct TileListOperands {
  Value order, firsts, counts, tiles;
  /// Whether a full tile that sticks out over the end comes behind the partial
  /// ones, as it does where a sequence ends there that has more room; else
  /// last.
  bool asIfPartial = false;
};

/// One axis of the scores, in tiles.
struct TiledAxis {
  Axis axis;
  int64_t tile; ///< positions of a tile
  Value length; ///< index: positions
  Value last;   ///< index: the last of them
  /// index: how many heads share keys, where the positions are those of each of
  /// them, in turn (PackedRows.h); null: those of one head.
  Value group = {};
};

/// The visits of one task, which owns a tile of one axis, to tiles of the
/// other. They are numbered from `first` to `end`.
class Visits {
public:
  virtual ~Visits() = default;

  Value firstRow;   ///< index: where the task's own tile begins
  Value first, end; ///< index

  /// index: the tile that a visit goes to.
  virtual Value tileOf(Value visit) = 0;
  /// i1: whether `tile`, the one of `visit`, has pairs to leave out, by the
  /// mask or by the lengths.
  virtual Value isPartial(Value visit, Value tile) = 0;
};

/// The visits of the task that owns `tile` (index, on the axis `own`), by the
/// bounds of `mask`. Where its visits are not one run, all between are visited.
/// Of heads that share keys, `context` has the first.
std::unique_ptr<Visits> visitRun(TileBuilder &tiles, MaskLogic &mask,
                                 const MaskContext &context,
                                 const TiledAxis &own, const TiledAxis &visited,
                                 Value tile);

/// The same by lists, whose rows are the tiles of the axis `own`. Partial tiles
/// are visited first.
std::unique_ptr<Visits> visitList(TileBuilder &tiles, MaskLogic &mask,
                                  const MaskContext &context,
                                  const TileListOperands &lists,
                                  const TiledAxis &own,
                                  const TiledAxis &visited, Value tile);

/// The tile that task number `task` owns: those with long lists come first.
Value listedTile(TileBuilder &tiles, MaskLogic &mask,
                 const MaskContext &context, const TileListOperands &lists,
                 Value task);

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_VISITS_H
