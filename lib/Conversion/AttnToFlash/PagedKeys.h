// The keys and values of one task, where they lie in pages of memory that a
// table gives to sequences.
#ifndef ATTN_CONVERSION_ATTNTOFLASH_PAGEDKEYS_H
#define ATTN_CONVERSION_ATTNTOFLASH_PAGEDKEYS_H

#include "TileBuilder.h"

namespace mlir::attn {

/// A table, and the pages of keys that it numbers; values have as many.
struct Pages {
  Value table; ///< memory (batch, most pages), i32
  Value keys;  ///< memory (page, head, row, channel)

  /// index: how many keys a sequence has room for.
  Value room(TileBuilder &tiles) const;
};

class PagedKeys {
public:
  /// Of the sequence `batch` (index) with `length` keys (i32, as the caller has
  /// it; null: as many as it has room for).
  PagedKeys(TileBuilder &tiles, const Pages &pages, Value batch, Value length);

  /// `rows` rows of keys or values from the key `first` (index) on, `width`
  /// channels each; zeros for keys that are not there.
  Value load(Value memory, Value head, Value first, int64_t rows,
             int64_t width);
  /// i1: whether one of `rows` keys from `first` on has a page that is none.
  Value anyIsMissing(Value first, int64_t rows);
  /// i1, of one element: whether `key` (i32), if it is before the length, has a
  /// page.
  Value hasPage(Value key);

private:
  /// i32: an entry (index) of the table. i1: whether it numbers a page.
  Value entry(Value number);
  Value isPage(Value entry);

  TileBuilder &t;
  ImplicitLocOpBuilder &b;
  Pages pages;
  Value batch, end;          ///< index
  Value pageCount, pageRows; ///< i32
};

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_PAGEDKEYS_H
