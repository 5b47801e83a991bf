// What a mod may capture, and what becomes of it in memory: the one place that
// knows the types of captured values.
#ifndef ATTN_DIALECT_ATTN_IR_CAPTURES_H
#define ATTN_DIALECT_ATTN_IR_CAPTURES_H

#include "attn/Dialect/Attn/IR/AttnDialect.h"

#include "mlir/IR/Builders.h"

namespace mlir::attn {

/// The element types, as messages list them.
inline constexpr llvm::StringLiteral captureElements =
    "f32, bf16, f16, i64, i32, i16, i8 or i1";

/// Whether `type` is an element of captured tensors, and a captured scalar.
bool isCaptureElement(Type type);
/// A captured scalar or tensor.
bool isCaptureType(Type type);

/// How a kernel's memory holds an element: an i1 is a byte, true if it is not
/// zero; floats of 16 bits, which not every processor has, are their bits;
/// others are themselves.
Type storedType(Type element);

/// What a captured value of `type` is among a kernel's arguments: a scalar as
/// memory holds it, a tensor as memory with sizes and strides of run time. The
/// innermost stride is 1 unless `anyStride`.
Type captureArgumentType(Type type, bool anyStride);

/// A tensor as contiguous memory of its own element type whose sizes are known
/// at run time: what a data function fills, and LSE. Scalars: memory of one
/// element, without a dimension.
MemRefType contiguousMemoryType(Type type);

/// What programs see of a kernel's `arguments` for captures of `types`: scalars
/// as their own type, tensors as the memory that loadFromMemory reads.
SmallVector<Value> unpackCaptures(OpBuilder &builder, Location loc,
                                  TypeRange types, ValueRange arguments);

/// The element of a table that `indices` (i32) name, which stand for the
/// operands `program` of a load or an accumulation. An index that is an
/// argument of the program is inside (the sizes are checked beforehand); one
/// that is computed is clamped, so that no program touches other memory.
SmallVector<Value> placesInTable(OpBuilder &builder, Location loc,
                                 ValueRange program, ValueRange indices,
                                 function_ref<Value(int64_t dimension)> sizeOf);

/// A LowerLoadFn for tables that are memory (captureArgumentType), at
/// placesInTable().
Value loadFromMemory(OpBuilder &builder, LoadOp load, ValueRange indices,
                     Value table);

} // namespace mlir::attn

#endif // ATTN_DIALECT_ATTN_IR_CAPTURES_H
