// Products that turn their left operand.
#ifndef ATTN_LIB_DIALECT_TILE_TRANSFORMS_TURNED_H
#define ATTN_LIB_DIALECT_TILE_TRANSFORMS_TURNED_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mlir::attn::tile {

/// Whether the depth of `product` runs along the rows of its left operand:
/// those of the result are columns of what threads hold.
inline bool turnsRows(linalg::ContractOp product) {
  return product.getIndexingMapsArray()[0].getResult(0) ==
         getAffineDimExpr(2, product.getContext());
}

} // namespace mlir::attn::tile

#endif // ATTN_LIB_DIALECT_TILE_TRANSFORMS_TURNED_H
