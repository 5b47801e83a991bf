"""A MaskPicture as text and as SVG."""

from .show import EMPTY, FULL, PARTIAL

_MOST_COLUMNS = 96
_SIGNS = {EMPTY: "·", PARTIAL: "▒", FULL: "█"}
_COLORS = {EMPTY: "#f3f4f6", PARTIAL: "#93b7e8", FULL: "#1f4e96"}
_SEEN, _INK, _GRID = "#4878bd", "#374151", "#ffffff"


def _caption(picture):
    counts = ", ".join(
        f"{picture.count(kind)} {name}" for kind, name in ((FULL, "full"), (PARTIAL, "partial"), (EMPTY, "empty"))
    )
    sizes = f"{picture.queries} queries x {picture.keys} keys, {100 * picture.density:.3g}% visible"
    return sizes, f"tiles of {picture.tiles[0]} x {picture.tiles[1]}: {counts}"


def text(picture):
    """Two lines about it, and a sign for each tile; of many tiles one for several."""
    kinds = picture.kinds
    step = -(-max(len(kinds), len(kinds[0])) // _MOST_COLUMNS)
    lines = [", ".join(_caption(picture))]
    for i in range(0, len(kinds), step):
        rows = kinds[i : i + step]
        lines.append("".join(_SIGNS[_kind_of(rows, j, step)] for j in range(0, len(kinds[0]), step)))
    several = f", {step} x {step} of them for a sign" if step > 1 else ""
    lines.append(f"{_SIGNS[FULL]} full  {_SIGNS[PARTIAL]} partial  {_SIGNS[EMPTY]} empty{several}")
    return "\n".join(lines)


def _kind_of(rows, column, step):
    kinds = {kind for row in rows for kind in row[column : column + step]}
    return kinds.pop() if len(kinds) == 1 else PARTIAL


def svg(picture, width):
    """Tiles with their kinds as colors, and with each visible pair of positions where there are few."""
    left, top, legend = 34, 22, 58
    scale = (width - left - 8) / picture.keys
    height = picture.queries * scale
    total = top + height + legend
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{total:.0f}" '
        f'viewBox="0 0 {width} {total:.0f}" font-family="sans-serif" font-size="11" fill="{_INK}">',
        f"<title>{', '.join(_caption(picture))}</title>",
        f'<rect width="{width}" height="{total:.0f}" fill="white"/>',
        f'<text x="{left + (width - left - 8) / 2:.0f}" y="15" text-anchor="middle">keys</text>',
        f'<text transform="translate(24 {top + height / 2:.0f}) rotate(-90)" text-anchor="middle">queries</text>',
        f'<g transform="translate({left} {top}) scale({scale:.6g})">',
        *_tiles(picture),
        *_cells(picture),
        *_grid(picture, scale),
        "</g>",
        *_legend(picture, left, top + height + 16),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _tiles(picture):
    """A run of tiles of one kind is one rectangle."""
    high, wide = picture.tiles
    for i, row in enumerate(picture.kinds):
        j = 0
        while j < len(row):
            end = next((k for k in range(j, len(row)) if row[k] != row[j]), len(row))
            y, x = i * high, j * wide
            size = min(end * wide, picture.keys) - x, min(high, picture.queries - y)
            yield f'<rect x="{x}" y="{y}" width="{size[0]}" height="{size[1]}" fill="{_COLORS[row[j]]}"/>'
            j = end


def _cells(picture):
    """What is visible in partial tiles, a run of keys as one path."""
    if picture.cells is None:
        return
    high, wide = picture.tiles
    kinds, runs = picture.kinds, []
    for q, row in enumerate(picture.cells):
        seen = [x and kinds[q // high][kv // wide] == PARTIAL for kv, x in enumerate(row)]
        kv = 0
        while kv < len(seen):
            end = next((k for k in range(kv, len(seen)) if seen[k] != seen[kv]), len(seen))
            if seen[kv]:
                runs.append(f"M{kv} {q}h{end - kv}v1h{kv - end}z")
            kv = end
    yield f'<path d="{"".join(runs)}" fill="{_SEEN}"/>'


def _grid(picture, scale):
    """Lines between tiles, where they are not too many."""
    high, wide = picture.tiles
    if min(high, wide) * scale < 5:
        return
    lines = [f"M{x} 0V{picture.queries}" for x in range(wide, picture.keys, wide)]
    lines += [f"M0 {y}H{picture.keys}" for y in range(high, picture.queries, high)]
    yield f'<path d="{"".join(lines)}" stroke="{_GRID}" stroke-width="{1 / scale:.6g}" fill="none"/>'


def _legend(picture, left, y):
    entries = [("full", _COLORS[FULL], 52), ("partial", _COLORS[PARTIAL], 68), ("empty", _COLORS[EMPTY], 64)]
    if picture.cells is not None:
        entries.append(("pairs that a partial tile keeps", _SEEN, 0))
    x = left
    for name, color, wide in entries:
        yield f'<rect x="{x}" y="{y - 9:.0f}" width="10" height="10" fill="{color}" stroke="#9ca3af"/>'
        yield f'<text x="{x + 14}" y="{y:.0f}">{name}</text>'
        x += wide
    for line, caption in enumerate(_caption(picture)):
        yield f'<text x="{left}" y="{y + 18 + 15 * line:.0f}">{caption}</text>'
