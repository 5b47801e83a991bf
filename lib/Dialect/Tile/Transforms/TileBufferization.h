// How the operations of the tile dialect bufferize.
#ifndef ATTN_LIB_DIALECT_TILE_TRANSFORMS_TILEBUFFERIZATION_H
#define ATTN_LIB_DIALECT_TILE_TRANSFORMS_TILEBUFFERIZATION_H

namespace mlir {
class DialectRegistry;
namespace attn::tile {

/// tile.load fills a new buffer, tile.store and tile.has_nonfinite read one;
/// all three become loops over rows of vectors.
void registerBufferizationModels(DialectRegistry &registry);

} // namespace attn::tile
} // namespace mlir

#endif // ATTN_LIB_DIALECT_TILE_TRANSFORMS_TILEBUFFERIZATION_H
