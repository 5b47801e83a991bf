// Pieces of 16 bytes instead of words: how a quad deals its part of a row.
#ifndef ATTN_CONVERSION_TILETONVVM_QUADPIECES_H
#define ATTN_CONVERSION_TILETONVVM_QUADPIECES_H

#include "Distribution.h"

namespace mlir::attn::tile {

/// Columns of 16-bit elements of which each lane of a quad has a piece, 8 that
/// lie together, and the bytes of that.
constexpr int64_t quadColumns = 32, pieceBytes = 16;

/// How many of the tile's blocks of 8 columns, its first ones, are in memory in
/// pieces: all that a quad fills, of 16-bit elements in aligned rows.
int64_t blocksInPieces(const Distribution &d, RankedTensorType tile,
                       MemRefType memory);

/// Of four blocks of 8 columns of a row, a lane has one word (i32) of each;
/// deals them so that lane t of the quad, `inQuad` (i32), has the words of
/// block t, in order. The same once more gives back what was: memory is read in
/// pieces, too.
Fragment dealToQuad(Distribution &d, Value inQuad, ArrayRef<Value> words);

} // namespace mlir::attn::tile

#endif // ATTN_CONVERSION_TILETONVVM_QUADPIECES_H
