// Products that are started and awaited: tile.start, tile.await and the type
// between them.
#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mlir::attn;
using namespace mlir::attn::tile;

LogicalResult StartedType::verify(function_ref<InFlightDiagnostic()> emitError,
                                  RankedTensorType tile) {
  // C1
  if (tile.getRank() != 2 || !tile.getElementType().isF32() ||
      !tile.hasStaticShape() || !isInRegisters(tile))
    return emitError() << "expects a matrix of f32 in registers, got " << tile;
  return success();
}

/// Whether the first result of `map`, of an operand of a product, is
/// `dimension`.
static bool beginsWith(AffineMap map, unsigned dimension) {
  return map.getResult(0) == getAffineDimExpr(dimension, map.getContext());
}

void StartOp::build(OpBuilder &builder, OperationState &state,
                    linalg::ContractOp product) {
  SmallVector<AffineMap> maps = product.getIndexingMapsArray();
  Value init = product.getDpsInits()[0];
  build(builder, state,
        StartedType::get(builder.getContext(),
                         cast<RankedTensorType>(init.getType())),
        product.getDpsInputs()[0], product.getDpsInputs()[1], init,
        /*lhs_transposed=*/beginsWith(maps[0], 2),
        /*rhs_transposed=*/beginsWith(maps[1], 1));
}

LogicalResult StartOp::verify() {
  RankedTensorType lhs = getLhs().getType(), rhs = getRhs().getType(),
                   init = getInit().getType();
  // C1
  Type element = rhs.getElementType();
  if (lhs.getElementType() != element || !(element.isF16() || element.isBF16()))
    return emitOpError() << "expects operands of one type, f16 or bf16, got "
                         << lhs << " and " << rhs;
  bool matrices = lhs.getRank() == 2 && rhs.getRank() == 2;
  int64_t left = getLhsTransposed(), right = getRhsTransposed();
  if (!matrices || lhs.getDimSize(left) != init.getDimSize(0) ||
      lhs.getDimSize(1 - left) != rhs.getDimSize(right) ||
      rhs.getDimSize(1 - right) != init.getDimSize(1))
    return emitOpError() << "expects matrices of a product, got " << lhs << ", "
                         << rhs << " and " << init;
  // C2
  if (!isInRegisters(lhs) && !isInSlot(lhs))
    return emitOpError()
           << "expects its left operand in registers or in a slot, got " << lhs;
  if (left && (!isInSlot(lhs) || right))
    return emitOpError() << "expects a transposed left operand in a slot, and "
                            "the right one as it is";
  return success();
}

LogicalResult AwaitOp::verify() {
  // C1
  if (Value after = getAfter()) {
    auto tile = cast<RankedTensorType>(after.getType());
    if (tile.getRank() < 1 || tile.getRank() > 2 ||
        !tile.getElementType().isF32() || tile.getNumElements() == 0)
      return emitOpError()
             << "expects a vector or matrix of f32 after 'after', got " << tile;
  }
  // C2
  if (getPending() < 0 || getPending() > 7)
    return emitOpError() << "expects 'pending' from 0 to 7, got "
                         << getPending();
  return success();
}
