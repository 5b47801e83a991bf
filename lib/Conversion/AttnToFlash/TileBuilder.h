// The vocabulary of kernels in flash form: elementwise work, branches and
// reductions on tiles of f32 that are tensors of static shape.
#ifndef ATTN_CONVERSION_ATTNTOFLASH_TILEBUILDER_H
#define ATTN_CONVERSION_ATTNTOFLASH_TILEBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn {

class TileBuilder {
public:
  explicit TileBuilder(ImplicitLocOpBuilder &builder) : b(builder) {}

  /// Which elements of a tile have the same element of a vector's.
  enum class Along { Rows, Columns };
  /// A linalg.generic over all elements of `type`; a vector among the inputs of
  /// a tile has an element for each row, or for each column.
  Value elementwise(ValueRange inputs, Type type,
                    llvm::function_ref<Value(ValueRange)> body,
                    Along vectors = Along::Rows);

  /// The result of one of two functions that emit a branch each.
  Value either(Value condition, llvm::function_ref<Value()> then,
               llvm::function_ref<Value()> otherwise);

  /// A branch without a result; `otherwise` may be null.
  void onlyIf(Value condition, llvm::function_ref<void()> then,
              llvm::function_ref<void()> otherwise = nullptr);

  /// Each row of `tile` combined by `CombineOp`, and with its element of
  /// `init`.
  template <typename CombineOp> Value reduceRows(Value tile, Value init) {
    auto reduce = linalg::ReduceOp::create(
        b, b.getLoc(), ValueRange{tile}, ValueRange{init}, ArrayRef<int64_t>{1},
        [](OpBuilder &nested, Location loc, ValueRange args) {
          Value combined = CombineOp::create(nested, loc, args[0], args[1]);
          linalg::YieldOp::create(nested, loc, combined);
        });
    return reduce.getResult(0);
  }

  /// `rows` rows of memory from `row` (index) on, `width` channels each.
  Value load(Value memory, Value batch, Value head, Value row, int64_t rows,
             int64_t width);
  /// lhs * rhs^T (transposed: the rows of rhs are the columns of the result) or
  /// lhs * rhs, plus init.
  Value contract(Value lhs, Value rhs, Value init, bool transposed);
  /// lhs^T * rhs plus init: the columns of lhs are the rows of the result.
  Value contractColumns(Value lhs, Value rhs, Value init);

  /// sum + weights * values. A weight of zero adds nothing, whatever it is
  /// multiplied by; there are such weights only where `mayDrop` (i1).
  Value addWeighted(Value weights, Value values, Value sum, Value mayDrop);

  /// Each row of `tile` (or element of a row vector) times its factor.
  Value times(Value tile, Value factor);
  /// `tile` rounded to `elementType`; itself if it has that type.
  Value truncate(Value tile, Type elementType);

  Value splat(ArrayRef<int64_t> shape, float value);
  Value f32(float value);
  Value index(int64_t value);
  Value toI32(Value value);
  Value toIndex(Value value);

  ImplicitLocOpBuilder &b;
};

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_TILEBUILDER_H
