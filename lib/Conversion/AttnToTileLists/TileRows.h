// From the bits of tiles to lists: counts, the order of rows, entries.
#ifndef ATTN_LIB_CONVERSION_ATTNTOTILELISTS_TILEROWS_H
#define ATTN_LIB_CONVERSION_ATTNTOTILELISTS_TILEROWS_H

#include "TileEmission.h"

namespace mlir::attn {

/// `ids` are the batch, the head and the row of a task; rows are key tiles
/// where lists are transposed.
class TileRows : protected TileEmission {
protected:
  using TileEmission::TileEmission;

  /// Words {kept, full} of the row's tiles 32 * word and following.
  std::pair<Value, Value> rowWords(ValueRange ids, Value word, bool transposed);
  /// The number of words of a row.
  Value wordCount(bool transposed);
  void buildCounts(ValueRange ids, bool transposed);
  void buildRow(ValueRange ids, bool transposed);

  // Arguments of the function that is being emitted: see
  // attn/Conversion/TileLists.h.
  Value kept, full, order, firsts, counts, tiles, total;

private:
  /// The entry past the last one, which a kernel may read: any tile will do.
  void buildEnd(ValueRange ids);
  /// Writes `tile` behind the tiles of the lower bits of `word` if its own is
  /// set.
  void listBit(Value word, Value lane, Value end, Value tile);
  /// The row's place among all rows, longest first.
  void buildOrder(ValueRange ids);
  Value visitsOf(ValueRange row);
};

} // namespace mlir::attn

#endif // ATTN_LIB_CONVERSION_ATTNTOTILELISTS_TILEROWS_H
