// See Captures.h.
#include "attn/Dialect/Attn/IR/Captures.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::attn;

bool mlir::attn::isCaptureElement(Type type) {
  return type.isF32() || type.isBF16() || type.isF16() ||
         (type.isSignlessInteger() &&
          llvm::is_contained({1u, 8u, 16u, 32u, 64u},
                             type.getIntOrFloatBitWidth()));
}

bool mlir::attn::isCaptureType(Type type) {
  if (auto tensor = dyn_cast<RankedTensorType>(type))
    type = tensor.getElementType();
  return isCaptureElement(type);
}

Type mlir::attn::storedType(Type element) {
  if (element.isInteger(1))
    return IntegerType::get(element.getContext(), 8);
  if (element.isF16() || element.isBF16())
    return IntegerType::get(element.getContext(), 16);
  return element;
}

Type mlir::attn::captureArgumentType(Type type, bool anyStride) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return storedType(type);
  SmallVector<int64_t> dynamic(tensor.getRank(), ShapedType::kDynamic);
  Type element = storedType(tensor.getElementType());
  // One dimension with a stride of 1 is what memory is without a layout.
  if (dynamic.empty() || (dynamic.size() == 1 && !anyStride))
    return MemRefType::get(dynamic, element);
  SmallVector<int64_t> strides = dynamic;
  if (!anyStride)
    strides.back() = 1;
  return MemRefType::get(
      dynamic, element,
      StridedLayoutAttr::get(type.getContext(), /*offset=*/0, strides));
}

MemRefType mlir::attn::contiguousMemoryType(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return MemRefType::get({}, type);
  SmallVector<int64_t> shape(tensor.getRank(), ShapedType::kDynamic);
  return MemRefType::get(shape, tensor.getElementType());
}

/// `stored`, as memory holds it, as a value of type `element`.
static Value fromStored(OpBuilder &builder, Location loc, Value stored,
                        Type element) {
  if (stored.getType() == element)
    return stored;
  if (isa<FloatType>(element))
    return arith::BitcastOp::create(builder, loc, element, stored);
  Value zero = arith::ConstantOp::create(builder, loc,
                                         builder.getZeroAttr(stored.getType()));
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, stored,
                               zero);
}

SmallVector<Value> mlir::attn::unpackCaptures(OpBuilder &builder, Location loc,
                                              TypeRange types,
                                              ValueRange arguments) {
  SmallVector<Value> captures;
  for (auto [type, argument] : llvm::zip_equal(types, arguments))
    captures.push_back(isa<RankedTensorType>(type)
                           ? argument
                           : fromStored(builder, loc, argument, type));
  return captures;
}

SmallVector<Value>
mlir::attn::placesInTable(OpBuilder &builder, Location loc, ValueRange program,
                          ValueRange indices,
                          function_ref<Value(int64_t dimension)> sizeOf) {
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  SmallVector<Value> places;
  for (auto [i, index] : llvm::enumerate(indices)) {
    Value place =
        arith::IndexCastOp::create(builder, loc, builder.getIndexType(), index);
    if (!isa<BlockArgument>(program[i])) {
      Value last = arith::SubIOp::create(builder, loc, sizeOf(i), constant(1));
      place = arith::MaxSIOp::create(
          builder, loc, arith::MinSIOp::create(builder, loc, place, last),
          constant(0));
    }
    places.push_back(place);
  }
  return places;
}

Value mlir::attn::loadFromMemory(OpBuilder &builder, LoadOp load,
                                 ValueRange indices, Value table) {
  Location loc = load.getLoc();
  SmallVector<Value> places = placesInTable(
      builder, loc, load.getIndices(), indices, [&](int64_t i) -> Value {
        return memref::DimOp::create(builder, loc, table, i);
      });
  Value stored = memref::LoadOp::create(builder, loc, table, places);
  return fromStored(builder, loc, stored, load.getType());
}
