// tile.load through a table, for a CPU.
#ifndef ATTN_LIB_DIALECT_TILE_TRANSFORMS_PAGEDLOAD_H
#define ATTN_LIB_DIALECT_TILE_TRANSFORMS_PAGEDLOAD_H

#include "attn/Dialect/Tile/IR/TileDialect.h"

namespace mlir::attn::tile {

/// Fills `buffer`, of the tile's shape, with what `load` reads through its
/// table. Errors: channels that are not one vector of known length.
LogicalResult emitPagedLoad(OpBuilder &builder, LoadOp load, Value buffer);

} // namespace mlir::attn::tile

#endif // ATTN_LIB_DIALECT_TILE_TRANSFORMS_PAGEDLOAD_H
