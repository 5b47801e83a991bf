"""Pictures of masks: which tiles are empty, partial and full is what the mask says of each pair of positions.

RUN: env PYTHONPATH=%source/python ATTN_LIBRARY=%libattn %python %s %configs/mods/alibi.mlir
UNSUPPORTED: sanitized
"""

import os
import sys
import unittest
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "Inputs"))
import attn
from attn.show import EMPTY, FULL, PARTIAL
from evaluate import Array

ALIBI = sys.argv.pop(1)
PREFIX = "{http://www.w3.org/2000/svg}"


class Pictures(unittest.TestCase):
    def check(self, picture, sees):
        """Against `sees(q, kv)`."""
        high, wide = picture.tiles
        seen = [[sees(q, kv) for kv in range(picture.keys)] for q in range(picture.queries)]
        for i, row in enumerate(picture.counts):
            for j, count in enumerate(row):
                part = [x for line in seen[i * high : (i + 1) * high] for x in line[j * wide : (j + 1) * wide]]
                self.assertEqual((count, picture.pairs(i, j)), (sum(part), len(part)))
                kind = FULL if all(part) else PARTIAL if any(part) else EMPTY
                self.assertEqual(picture.kinds[i][j], kind)
        self.assertEqual(len(picture.counts), -(-picture.queries // high))
        self.assertEqual({len(row) for row in picture.counts}, {-(-picture.keys // wide)})
        if picture.cells is not None:
            self.assertEqual(picture.cells, seen)

    def test_positions_and_tiles(self):
        """Of another batch and head than the first, with keys for more than one launch, a row that sees none."""
        doc = Array([[0] * 300, [i // 70 for i in range(300)]], "int32")

        def mask(b, h, q, kv):
            return (doc[b, q] == doc[b, kv]) & (q - kv < 9 * h) & (q != 5)

        picture = attn.show_mask(mask, 19, 300, batch=1, head=2, tiles=(4, 7))
        self.check(picture, lambda q, kv: kv < 70 and q - kv < 18 and q != 5)
        self.assertAlmostEqual(picture.density, sum(map(sum, picture.counts)) / (19 * 300))
        root = xml.etree.ElementTree.fromstring(picture._repr_svg_())
        self.assertEqual(root.tag, PREFIX + "svg")
        self.assertIn("19 queries x 300 keys", root.find(PREFIX + "title").text)

    def test_text_and_sizes(self):
        mod = attn.Mod.from_functions(None, lambda b, h, q, kv: q >= kv)
        picture = attn.show_mask(mod, 5, 12, tiles=2, query_offset=7)
        self.check(picture, lambda q, kv: q + 7 >= kv)
        expected = """\
5 queries x 12 keys, 83.3% visible, tiles of 2 x 2: 15 full, 2 partial, 1 empty
████▒·
█████▒
██████
█ full  ▒ partial  · empty"""
        self.assertEqual(str(picture), expected)
        self.check(attn.show_mask(mod, 300), lambda q, kv: q >= kv)
        wide = attn.show_mask(mod, 512, tiles=1, lengths=Array([100], "int32"))
        self.assertEqual((wide.cells, sum(map(sum, wide.counts))), (None, 100 * 101 // 2 + 412 * 100))
        lines = str(wide).splitlines()
        self.assertEqual((len(lines), len(lines[1]), lines[-1][-26:]), (88, 86, ", 6 x 6 of them for a sign"))
        self.assertEqual(attn.show_mask(mod, 3000).tiles, (128, 128))

    def test_mods_with_scores(self):
        """Only the mask is looked at."""
        alibi = attn.Mod.from_file(ALIBI)
        self.assertTrue(alibi.has_score)
        picture = attn.show_mask(alibi, 9, captures=alibi.make_captures(attn.Sizes(1, 1, 9, 9)))
        self.check(picture, lambda q, kv: q >= kv)

    def test_errors(self):
        for arguments, text in (
            ((attn.Mod.from_functions(lambda s, b, h, q, kv: s + q), 4), "expects a mask, got mod '@recorded'"),
            ((lambda b, h, q, kv: q >= kv, 0), "expects queries and keys, got 0 and 0"),
        ):
            with self.assertRaisesRegex(attn.Error, text):
                attn.show_mask(*arguments)
        with self.assertRaisesRegex(attn.Error, r"expects 'tiles' of 1 to 4096 positions, got \(0, 8\)"):
            attn.show_mask(lambda b, h, q, kv: q >= kv, 4, tiles=(0, 8))


if __name__ == "__main__":
    unittest.main()
