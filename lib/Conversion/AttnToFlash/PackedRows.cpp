// See PackedRows.h.
#include "PackedRows.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace mlir::attn;

Value mlir::attn::memoryOfPairs(TileBuilder &t, Value memory, Value group) {
  ImplicitLocOpBuilder &b = t.b;
  auto type = cast<MemRefType>(memory.getType());
  auto metadata = memref::ExtractStridedMetadataOp::create(b, memory);
  SmallVector<OpFoldResult> sizes, strides;
  for (auto [size, stride] :
       llvm::zip_equal(metadata.getConstifiedMixedSizes(),
                       metadata.getConstifiedMixedStrides()))
    sizes.push_back(size), strides.push_back(stride);
  // (batch, head, query) become (batch, key head, query, head of the group).
  Value heads = metadata.getSizes()[1], stride = metadata.getStrides()[1];
  sizes[1] = arith::DivUIOp::create(b, heads, group).getResult();
  strides[1] = arith::MulIOp::create(b, stride, group).getResult();
  sizes.insert(sizes.begin() + 3, group);
  strides.insert(strides.begin() + 3, stride);
  SmallVector<Value> dynamic;
  SmallVector<int64_t> shape, steps;
  dispatchIndexOpFoldResults(sizes, dynamic, shape);
  dispatchIndexOpFoldResults(strides, dynamic, steps);
  auto layout =
      StridedLayoutAttr::get(b.getContext(), ShapedType::kDynamic, steps);
  return memref::ReinterpretCastOp::create(
      b, MemRefType::get(shape, type.getElementType(), layout),
      metadata.getBaseBuffer(), OpFoldResult(metadata.getOffset()), sizes,
      strides);
}

RowPairs mlir::attn::pairsOfRows(TileBuilder &t, const TiledAxis &axis,
                                 Value firstRow, Value firstHead) {
  ImplicitLocOpBuilder &b = t.b;
  Value first = t.toI32(firstRow), last = t.toI32(axis.last);
  Value group = t.toI32(axis.group), head = t.toI32(firstHead);
  auto type = RankedTensorType::get({axis.tile}, b.getI32Type());
  auto ofRows = [&](llvm::function_ref<Value(Value row)> body) {
    return t.elementwise({}, type, [&](ValueRange) {
      Value i = t.toI32(linalg::IndexOp::create(b, 0));
      Value row =
          arith::MinSIOp::create(b, arith::AddIOp::create(b, first, i), last);
      return body(row);
    });
  };
  RowPairs pairs;
  pairs.queries = ofRows([&](Value row) -> Value {
    return arith::DivUIOp::create(b, row, group);
  });
  pairs.heads = ofRows([&](Value row) -> Value {
    return arith::AddIOp::create(b, head,
                                 arith::RemUIOp::create(b, row, group));
  });
  return pairs;
}
