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
  SmallVector<Type> captures; ///< their types in the mod
  SmallVector<RoleAttr> captureRoles;
  int64_t queryTile, keyTile;
};

/// Emit the functions of attn/Conversion/TileLists.h for lists, for transposed
/// lists, and for counting pairs, at the end of `module`.
void buildTileLists(ModuleOp module, Team &team, const TileFinderSpec &spec);
void buildTransposedLists(ModuleOp module, Team &team,
                          const TileFinderSpec &spec);
void buildPairCounts(ModuleOp module, Team &team, const TileFinderSpec &spec);

} // namespace mlir::attn

#endif // ATTN_LIB_CONVERSION_ATTNTOTILELISTS_TILEFINDER_H
