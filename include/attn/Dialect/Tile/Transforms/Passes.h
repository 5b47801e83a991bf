// The passes on the tile dialect. See Passes.td.
#ifndef ATTN_DIALECT_TILE_TRANSFORMS_PASSES_H
#define ATTN_DIALECT_TILE_TRANSFORMS_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir::tile {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "attn/Dialect/Tile/Transforms/Passes.h.inc"

} // namespace mlir::tile

#endif // ATTN_DIALECT_TILE_TRANSFORMS_PASSES_H
