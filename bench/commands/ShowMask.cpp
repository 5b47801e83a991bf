// See ShowMask.h.
#include "commands/ShowMask.h"

#include "support/TextFile.h"

#include "attn/Support/Try.h"

#include <algorithm>
#include <cstdio>

using namespace attn;
using namespace attn::bench;

/// Characters that fit most terminals.
static constexpr int64_t lineWidth = 96;

static char characterOf(TileClass tile) {
  switch (tile) {
  case TileClass::Empty:
    return '.';
  case TileClass::Partial:
    return '+';
  case TileClass::Full:
    return '#';
  }
  return '?';
}

static int64_t tilesPerCharacter(const TileMap &map, int64_t width) {
  int64_t longest = std::max(map.rows, map.columns);
  return std::max<int64_t>(1, (longest + width - 1) / width);
}

std::string attn::bench::drawTiles(const TileMap &map, int64_t width) {
  int64_t step = tilesPerCharacter(map, width);
  std::string text;
  for (int64_t row = 0; row < map.rows; row += step) {
    text += "  ";
    for (int64_t column = 0; column < map.columns; column += step) {
      char drawn = characterOf(map.at(0, 0, row, column));
      for (int64_t r = row; r < std::min(row + step, map.rows); ++r)
        for (int64_t c = column; c < std::min(column + step, map.columns); ++c)
          if (characterOf(map.at(0, 0, r, c)) != drawn)
            drawn = '+';
      text += drawn;
    }
    text += "\n";
  }
  return text;
}

/// Text between tags.
static std::string escaped(const std::string &text) {
  std::string result;
  for (char c : text)
    result += c == '<'   ? std::string("&lt;")
              : c == '>' ? std::string("&gt;")
              : c == '&' ? std::string("&amp;")
                         : std::string(1, c);
  return result;
}

std::string attn::bench::tilesAsSVG(const TileMap &map,
                                    const std::string &title) {
  constexpr double size = 640, top = 52, left = 12;
  double unit = size / std::max<int64_t>({map.rows, map.columns, 1});
  double width = unit * map.columns, height = unit * map.rows;
  // Blue, orange and light grey: apart for every kind of colour vision.
  const std::pair<const char *, const char *> legend[] = {
      {"#ececec", "empty"}, {"#e69f00", "partial"}, {"#0072b2", "full"}};
  char line[256];
  std::string svg;
  auto add = [&](const char *format, auto... values) {
    std::snprintf(line, sizeof(line), format, values...);
    svg += line;
  };
  add("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" "
      "height=\"%.0f\" font-family=\"sans-serif\" font-size=\"13\">\n",
      std::max(width, 420.0) + 2 * left, height + top + left);
  svg += "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
  svg += "<text x=\"12\" y=\"20\" font-weight=\"bold\">" + escaped(title) +
         "</text>\n";
  double x = left;
  for (auto [color, name] : legend) {
    add("<rect x=\"%.0f\" y=\"30\" width=\"12\" height=\"12\" fill=\"%s\"/>"
        "<text x=\"%.0f\" y=\"41\">%s</text>\n",
        x, color, x + 17, name);
    x += 90;
  }
  add("<text x=\"%.0f\" y=\"41\">keys to the right, queries downwards</text>\n",
      x);
  for (int64_t row = 0; row < map.rows; ++row)
    for (int64_t first = 0, end; first < map.columns; first = end) {
      TileClass tile = map.at(0, 0, row, first);
      for (end = first; end < map.columns && map.at(0, 0, row, end) == tile;)
        ++end;
      add("<rect x=\"%.3f\" y=\"%.3f\" width=\"%.3f\" height=\"%.3f\" "
          "fill=\"%s\"/>\n",
          left + unit * first, top + unit * row, unit * (end - first), unit,
          legend[static_cast<int>(tile)].first);
    }
  add("<rect x=\"%.0f\" y=\"%.0f\" width=\"%.3f\" height=\"%.3f\" "
      "fill=\"none\" stroke=\"#555\"/>\n</svg>\n",
      left, top, width, height);
  return svg;
}

static std::string shares(const TileMap &map) {
  double all = std::max<double>(1, map.tiles.size());
  std::string text = std::to_string(map.tiles.size()) + " tiles:";
  const std::pair<TileClass, const char *> classes[] = {
      {TileClass::Empty, "empty"},
      {TileClass::Partial, "partial"},
      {TileClass::Full, "full"}};
  for (auto [wanted, name] : classes) {
    int64_t count = map.count(wanted);
    char share[64];
    std::snprintf(share, sizeof(share), "%s%lld %s (%.1f%%)",
                  wanted == TileClass::Empty ? " " : ", ",
                  static_cast<long long>(count), name, 100 * count / all);
    text += share;
  }
  if (map.batches * map.heads > 1)
    text += ", over " + std::to_string(map.batches) + " batches and " +
            std::to_string(map.heads) + " heads that the mask tells apart";
  return text + "\n";
}

Result<std::string> attn::bench::showMask(const Case &item,
                                          const MaskView &view) {
  const LoadedMod &mod = *item.mod;
  const ProblemSizes &sizes = item.sizes;
  auto tiles = [](int64_t length, int64_t tile) {
    return (length + tile - 1) / tile;
  };
  // Each is drawn, and one of a list.
  constexpr int64_t mostTiles = int64_t(1) << 26;
  int64_t rows = tiles(sizes.queries, view.queryTile);
  int64_t columns = tiles(sizes.keys, view.keyTile);
  if (columns && rows > mostTiles / columns)
    return errorAt("attn-bench",
                   "expects at most " + std::to_string(mostTiles) +
                       " tiles to draw, got " + std::to_string(rows) + " x " +
                       std::to_string(columns) +
                       "; -s and --tile say how many there are");
  if (!view.svgPath.empty())
    if (Result<void> ok = checkWritable(view.svgPath); !ok)
      return errorAt("attn-bench", ok.error());
  ATTN_TRY_ASSIGN(std::vector<CaptureData> captures, makeCaptures(item));
  std::vector<CaptureView> views = viewsOf(captures);
  ATTN_TRY(mod.mod.check(sizes, views));
  ATTN_TRY_ASSIGN(
      TileFinder finder,
      TileFinder::compile(mod.mod, Target::CPU, view.queryTile, view.keyTile));
  ATTN_TRY_ASSIGN(TileLists lists, finder.find(sizes, views));
  ATTN_TRY_ASSIGN(TileMap map, finder.map(lists));

  MaskAnalysis analysis = analyzeMask(mod.mod);
  std::string title = mod.label + ": " + std::to_string(sizes.queries) +
                      " queries x " + std::to_string(sizes.keys) +
                      " keys in tiles of " + std::to_string(view.queryTile) +
                      " x " + std::to_string(view.keyTile);
  std::string text = title + "\n" + analysis.text;
  for (const std::string &remark : analysis.remarks)
    text += remark + "\n";
  int64_t step = tilesPerCharacter(map, lineWidth);
  text += "\n  . empty  + partial  # full";
  if (step > 1)
    text += "; a character is " + std::to_string(step) + " x " +
            std::to_string(step) + " tiles";
  text += "\n" + drawTiles(map, lineWidth) + shares(map);
  if (!view.svgPath.empty())
    if (Result<void> written = writeFile(view.svgPath, tilesAsSVG(map, title));
        !written)
      return errorAt("attn-bench", written.error());
  return text;
}
