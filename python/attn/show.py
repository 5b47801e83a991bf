"""Which keys the queries of a mask see, as text and as a picture."""

import math

from . import _arrays
from ._attention import _kind_of, _with
from ._library import Error
from .kernel import Kernel, Spec
from .mod import Mod

EMPTY, PARTIAL, FULL = range(3)
# Channels of one launch, each of which counts the keys of one column of tiles.
_CHANNELS = 256


def show_mask(
    mask,
    queries=None,
    keys=None,
    *,
    batch=0,
    head=0,
    tiles=None,
    captures=None,
    query_offset=None,
    lengths=None,
):
    """The mask of `mask(b, h, q, kv)`, of a Mod or of a BlockMask, at one batch and head, as a MaskPicture, which a
    notebook shows.

    `queries`, `keys`: how many; keys None: as many as queries. `tiles`: the positions of queries and keys of a tile, or
    one number for both, up to 4096; None: at most 128, so that there are some. A BlockMask has its lengths, and blocks
    for tiles. captures, query_offset, lengths: as for calls of Kernel. It is computed by a kernel on the CPU, which
    takes seconds for 30000 positions.

    Raises Error: a Mod without a mask, sizes that are not positive.
    """
    if any(c.__name__ == "BlockMask" for c in type(mask).__mro__):
        (queries, keys), tiles, mask = mask.seq_lengths, tiles or mask.BLOCK_SIZE, _program_of(mask)
    if queries is None:
        raise Error("expects 'queries' for the picture of a function or a Mod, got none")
    keys = queries if keys is None else keys
    tiles = _tile_sizes(tiles, queries, keys)
    mod = _with_mask_alone(mask if isinstance(mask, Mod) else Mod.from_functions(None, mask))
    mod = _with(mod, _kind_of(query_offset), lengths is not None)
    given = {name: _on_cpu(value) for name, value in {**mod.values, **(captures or {})}.items()}
    counts = _Counts(mod, queries, keys, batch, head, captures=given, query_offset=query_offset, lengths=lengths)
    of_tiles = _summed(counts.of(tiles[1]), tiles[0])
    cells = counts.of(1) if queries * keys <= MaskPicture.MOST_CELLS else None
    return MaskPicture(queries, keys, tiles, of_tiles, cells)


class MaskPicture:
    """What queries (rows) see of keys (columns), by tiles; of few positions by each."""

    #: Positions up to which each is computed and drawn.
    MOST_CELLS = 1 << 16

    def __init__(self, queries, keys, tiles, counts, cells):
        self.queries, self.keys, self.tiles = queries, keys, tiles
        #: Of each row of tiles, and in it of each column: how many pairs of positions are visible.
        self.counts = counts
        #: Of each query, and in it of each key: whether it is visible; None for more than MOST_CELLS.
        self.cells = cells and [[bool(x) for x in row] for row in cells]

    @property
    def kinds(self):
        """EMPTY, PARTIAL or FULL, of each row of tiles and each column."""
        return [[self._kind(i, j, n) for j, n in enumerate(row)] for i, row in enumerate(self.counts)]

    def _kind(self, row, column, count):
        return EMPTY if not count else FULL if count == self.pairs(row, column) else PARTIAL

    def pairs(self, row, column):
        """How many pairs of positions a tile has, at the edges fewer."""
        height = min(self.tiles[0], self.queries - row * self.tiles[0])
        return height * min(self.tiles[1], self.keys - column * self.tiles[1])

    def count(self, kind):
        """How many tiles are of that kind."""
        return sum(row.count(kind) for row in self.kinds)

    @property
    def density(self):
        """The part of all pairs that is visible."""
        return sum(map(sum, self.counts)) / (self.queries * self.keys)

    def __str__(self):
        from ._drawings import text

        return text(self)

    __repr__ = __str__

    def svg(self, width=480):
        """The text of an SVG file, so many pixels wide."""
        from ._drawings import svg

        return svg(self, width)

    def _repr_svg_(self):
        return self.svg()

    def save(self, path):
        """Writes the SVG file."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.svg())


def _program_of(block_mask):
    """As launches see it: where lists of blocks were given, they decide."""
    from .torch import block_mask as of_attn
    from .torch._block_lists import seen_of

    if isinstance(block_mask, of_attn.BlockMask) and block_mask.is_program:
        return block_mask.mask_mod
    return seen_of(block_mask)[0]


def _tile_sizes(tiles, queries, keys):
    if min(queries, keys) < 1:
        raise Error(f"expects queries and keys, got {queries} and {keys}")
    if tiles is None:
        tiles = tuple(min(128, 1 << max(0, (n - 1).bit_length() - 4)) for n in (queries, keys))
    tiles = (tiles, tiles) if isinstance(tiles, int) else tuple(tiles)
    if len(tiles) != 2 or not all(1 <= n <= 4096 for n in tiles):
        raise Error(f"expects 'tiles' of 1 to 4096 positions, got {tiles}")
    return tiles


def _on_cpu(value):
    return value.detach().cpu() if hasattr(value, "detach") else value


def _with_mask_alone(mod):
    """A mod with the mask, since scores would weigh what is seen."""
    if not mod.has_mask:
        raise Error(f"expects a mask, got mod '@{mod.name}', which has none")
    if not mod.has_score:
        return mod
    if mod.source is None:
        raise Error(f"expects a mod without a score, or of Mod.from_source, got '@{mod.name}' of another origin")
    infos = [c for c in mod.captures if c.name in mod.own_names]
    captured = [(f"%{c.name}", _type_of(c)) for c in infos]
    declared = ", ".join(f"{name}: {type_}" for name, type_ in captured)
    names, types = (", ".join(x) for x in zip(*captured)) if captured else ("", "")
    alone = Mod.from_source(f"""{mod.source}
attn.mod @mask_alone{f"({declared})" if infos else ""} mask(%b: i32, %h: i32, %q: i32, %kv: i32) {{
  %keep = attn.apply_mask @{mod.name}{f"({names})" if infos else ""}[%b, %h, %q, %kv]{" : " + types if infos else ""}
  attn.yield %keep : i1
}}""")
    alone.values = mod.values
    return alone


def _type_of(info):
    names = {"float32": "f32", "float16": "f16", "bfloat16": "bf16", "bool": "i1"}
    element = names.get(info.type) or "i" + info.type.lstrip("uint")
    return element if info.is_scalar else f"tensor<{'?x' * info.rank}{element}>"


class _Counts:
    """How many keys each query sees, by columns: a kernel's output is their part of all that it sees, and its LSE the
    logarithm of how many that are."""

    def __init__(self, mod, queries, keys, batch, head, **given):
        self._given, self._sizes = given, (batch + 1, head + 1, queries, keys)
        self._kernel = Kernel(mod, Spec(1, _CHANNELS, scale=1, lse=True))
        self._query = _arrays.Floats((*self._sizes[:3], 1), strides=(0, 0, 0, 1))
        self._key = _arrays.Floats((*self._sizes[:2], keys, 1), strides=(0, 0, 0, 1))

    def of(self, width):
        """For each query a list, of each `width` keys one number."""
        columns = math.ceil(self._sizes[3] / width)
        rows = [[] for _ in range(self._sizes[2])]
        for first in range(0, columns, _CHANNELS):
            for row, part in zip(rows, self._part(width, first)):
                row += part[: columns - first]
        return rows

    def _part(self, width, first):
        batches, heads, queries, keys = self._sizes
        value = _arrays.Floats((batches, heads, keys, _CHANNELS), strides=(0, 0, _CHANNELS, 1))
        for key in range(first * width, min(keys, (first + _CHANNELS) * width)):
            value.data[key * _CHANNELS + key // width - first] = 1
        out = _arrays.Floats((batches, heads, queries, _CHANNELS))
        lse = _arrays.Floats((batches, heads, queries))
        self._kernel(self._query, self._key, value, out=out, lse=lse, **self._given)
        last = (batches * heads - 1) * queries
        for row in range(last, last + queries):
            seen = round(math.exp(lse.data[row]))
            yield [round(x * seen) for x in out.data[row * _CHANNELS : (row + 1) * _CHANNELS]]


def _summed(rows, height):
    """Sums of so many rows each."""
    return [[sum(column) for column in zip(*rows[i : i + height])] for i in range(0, len(rows), height)]
