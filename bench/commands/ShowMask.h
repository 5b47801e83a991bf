// Draws which tiles of the score matrix a mask keeps, and says what the
// compiler understood of it.
#ifndef ATTN_BENCH_COMMANDS_SHOWMASK_H
#define ATTN_BENCH_COMMANDS_SHOWMASK_H

#include "cases/Cases.h"

#include "attn/API/Tiles.h"

namespace attn::bench {

/// What `--show-mask` asks for.
struct MaskView {
  Word mod;
  int64_t queryTile = 128, keyTile = 128;
  std::string svgPath; ///< empty: characters only
};

/// The map of the first batch and head as characters, at most `width` of them
/// in a line: `.` empty, `+` partial or mixed, `#` full.
std::string drawTiles(const TileMap &map, int64_t width);
/// The same as an SVG image, one rectangle for each run of equal tiles.
std::string tilesAsSVG(const TileMap &map, const std::string &title);

/// The text that `--show-mask` prints; writes the SVG file if one is asked for.
Result<std::string> showMask(const Case &item, const MaskView &view);

} // namespace attn::bench

#endif // ATTN_BENCH_COMMANDS_SHOWMASK_H
