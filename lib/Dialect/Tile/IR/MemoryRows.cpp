// See MemoryRows.h.
#include "attn/Dialect/Tile/IR/MemoryRows.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::attn::tile;

Value MemoryRows::count(OpBuilder &b, Location loc) const {
  Value outer = memref::DimOp::create(b, loc, memory, dimension());
  if (!packed)
    return outer;
  Value inner = memref::DimOp::create(b, loc, memory, dimension() + 1);
  return arith::MulIOp::create(b, loc, outer, inner);
}

/// Rows are counted in 32 bits, like positions: GPUs divide these faster.
SmallVector<Value> MemoryRows::indicesOf(OpBuilder &b, Location loc,
                                         Value at) const {
  SmallVector<Value> indices(offsets);
  indices.back() = at;
  if (!packed)
    return indices;
  auto cast = [&](Type type, Value value) -> Value {
    return arith::IndexCastOp::create(b, loc, type, value);
  };
  Value inner = cast(b.getI32Type(),
                     memref::DimOp::create(b, loc, memory, dimension() + 1));
  Value row = cast(b.getI32Type(), at);
  indices.back() =
      cast(b.getIndexType(), arith::DivUIOp::create(b, loc, row, inner));
  indices.push_back(
      cast(b.getIndexType(), arith::RemUIOp::create(b, loc, row, inner)));
  return indices;
}
