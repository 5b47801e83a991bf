// Emits the functions that find the tiles which a mask visits.
#ifndef ATTN_LIB_CONVERSION_ATTNTOTILELISTS_TILEFINDER_H
#define ATTN_LIB_CONVERSION_ATTNTOTILELISTS_TILEFINDER_H

#include "Team.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"

namespace mlir::attn {

/// What is found: for which mask, with tiles of which size.
struct TileFinderSpec {
  StringRef name;
  Region &mask;               ///< stands alone; empty: keeps everything
  SmallVector<Type> captures; ///< as kernels hold them
  int64_t queryTile, keyTile;
};

/// Emits the functions of attn/Conversion/TileLists.h at the end of `module`.
void buildTileFinder(ModuleOp module, Team &team, const TileFinderSpec &spec);

} // namespace mlir::attn

#endif // ATTN_LIB_CONVERSION_ATTNTOTILELISTS_TILEFINDER_H
