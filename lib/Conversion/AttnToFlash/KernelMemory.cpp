// See KernelMemory.h.
#include "KernelMemory.h"

#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;
using namespace mlir::attn;

MemRefType mlir::attn::stridedMemoryType(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  SmallVector<int64_t> shape(tensor.getRank(), ShapedType::kDynamic);
  shape.back() = tensor.getShape().back();
  SmallVector<int64_t> strides(tensor.getRank(), ShapedType::kDynamic);
  strides.back() = 1;
  auto layout =
      StridedLayoutAttr::get(type.getContext(), ShapedType::kDynamic, strides);
  return MemRefType::get(shape, tensor.getElementType(), layout);
}

MemRefType mlir::attn::pageTableType(MLIRContext *context) {
  int64_t dynamic = ShapedType::kDynamic;
  return MemRefType::get(
      {dynamic, dynamic}, IntegerType::get(context, 32),
      StridedLayoutAttr::get(context, dynamic, {dynamic, 1}));
}
