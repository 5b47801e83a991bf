// The body of a linalg.generic, evaluated for several iterations at once.
#ifndef ATTN_LIB_CONVERSION_LINALGTOVECTORLOOPS_VECTORBODY_H
#define ATTN_LIB_CONVERSION_LINALGTOVECTORLOOPS_VECTORBODY_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

namespace mlir::attn {

/// Clones a body with vectors in place of the scalars that depend on the lane;
/// the others stay scalars.
class VectorBody {
public:
  /// `lanes` 0 means scalars only. `ivs` holds the index of every loop; that of
  /// `laneDim` is the index of the first lane.
  VectorBody(OpBuilder &builder, linalg::GenericOp op,
             std::optional<unsigned> laneDim, int64_t lanes,
             ArrayRef<Value> ivs);

  /// Whether every operation of the body can be evaluated for several lanes: no
  /// lane may load what its own condition excludes.
  static bool canVectorize(linalg::GenericOp op, unsigned laneDim);

  /// The values that the body yields for these arguments (null: unused).
  SmallVector<Value> emit(ArrayRef<Value> arguments);

private:
  void emitBlock(Block &block);
  void emitOp(Operation &op);
  void emitIf(Operation &op);
  void emitLoad(Operation &op);
  Value broadcast(Value value);
  Value lanesOf(Value first);
  static bool isVector(Value value);

  OpBuilder &builder;
  linalg::GenericOp generic;
  std::optional<unsigned> laneDim;
  int64_t lanes;
  ArrayRef<Value> ivs;
  IRMapping map;
};

} // namespace mlir::attn

#endif // ATTN_LIB_CONVERSION_LINALGTOVECTORLOOPS_VECTORBODY_H
