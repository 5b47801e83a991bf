// The tile dialect: tiles, where they live and how they move. See TileOps.td.
#ifndef ATTN_DIALECT_TILE_IR_TILEDIALECT_H
#define ATTN_DIALECT_TILE_IR_TILEDIALECT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/TensorEncoding.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace mlir::linalg {
class ContractOp;
} // namespace mlir::linalg

#include "attn/Dialect/Tile/IR/TileDialect.h.inc"

#define GET_ATTRDEF_CLASSES
#include "attn/Dialect/Tile/IR/TileAttrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "attn/Dialect/Tile/IR/TileTypes.h.inc"

#define GET_OP_CLASSES
#include "attn/Dialect/Tile/IR/TileOps.h.inc"

namespace mlir::attn::tile {
/// Whether a vector is dealt to threads like columns.
inline bool isOfColumns(RankedTensorType vector) {
  return isa_and_nonnull<ColumnsAttr>(vector.getEncoding());
}
/// Whether the columns of a matrix are dealt to groups of warps.
inline bool isOfColumnGroups(RankedTensorType matrix) {
  return isa_and_nonnull<ColumnGroupsAttr>(matrix.getEncoding());
}
/// Whether the tile is dealt by rows, as all are that no encoding says more of.
inline bool isOfRows(RankedTensorType tile) { return !tile.getEncoding(); }
/// Whether threads have elements of the tile.
inline bool isInRegisters(RankedTensorType tile) {
  return isOfRows(tile) || isOfColumns(tile) || isOfColumnGroups(tile);
}
/// Whether threads have a matrix as a left operand.
inline bool isLeftOperand(RankedTensorType matrix) {
  return isa_and_nonnull<LeftOperandAttr>(matrix.getEncoding());
}
/// Whether the tile is in shared memory, in a buffer of its own or in a ring.
inline bool isPadded(RankedTensorType tile) {
  return isa_and_nonnull<PaddedAttr>(tile.getEncoding());
}
inline bool isInSlot(RankedTensorType tile) {
  return isa_and_nonnull<SlotAttr>(tile.getEncoding());
}
inline bool isInShared(RankedTensorType tile) {
  return isPadded(tile) || isInSlot(tile);
}
/// Whether a vector has an element for each diagonal of a tile.
inline bool isOfDiagonals(RankedTensorType vector) {
  return isa_and_nonnull<DiagonalsAttr>(vector.getEncoding());
}
/// Whether the lanes of a warp keep such elements in registers.
inline bool isInLanes(RankedTensorType vector) {
  auto diagonals = dyn_cast_if_present<DiagonalsAttr>(vector.getEncoding());
  return diagonals && diagonals.getLanes();
}
/// How a tile of so many columns reads them: (r, c) -> (r - c + columns - 1).
AffineMap diagonalsOf(MLIRContext *, int64_t columns);
/// Whether threads share tiles in a ring, rather than hand them on.
bool isForSharing(RingOp ring);
/// Of `op`: whether memory can have `tile` as threads hold it (C1 and C2 of
/// tile.reduce_add).
LogicalResult verifyHeld(Operation *op, MemRefType memory,
                         RankedTensorType tile, size_t offsets);
} // namespace mlir::attn::tile

#endif // ATTN_DIALECT_TILE_IR_TILEDIALECT_H
