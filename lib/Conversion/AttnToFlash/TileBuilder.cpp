// See TileBuilder.h.
#include "TileBuilder.h"

#include "attn/Dialect/Tile/IR/Marks.h"
#include "attn/Dialect/Tile/IR/TileDialect.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::attn;

Value TileBuilder::elementwise(ValueRange inputs, Type type,
                               llvm::function_ref<Value(ValueRange)> body,
                               Along vectors) {
  auto resultType = cast<RankedTensorType>(type);
  int64_t rank = resultType.getRank();
  SmallVector<AffineMap> maps;
  for (Value input : inputs) {
    int64_t r = cast<RankedTensorType>(input.getType()).getRank();
    auto all = AffineMap::getMultiDimIdentityMap(rank, b.getContext());
    maps.push_back(vectors == Along::Rows ? all.getMajorSubMap(r)
                                          : all.getMinorSubMap(r));
  }
  maps.push_back(AffineMap::getMultiDimIdentityMap(rank, b.getContext()));
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  Value init = tensor::EmptyOp::create(b, resultType.getShape(),
                                       resultType.getElementType());
  auto generic = linalg::GenericOp::create(
      b, b.getLoc(), TypeRange{resultType}, inputs, ValueRange{init}, maps,
      iterators, [&](OpBuilder &nested, Location, ValueRange args) {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToEnd(nested.getInsertionBlock());
        linalg::YieldOp::create(b, body(args.drop_back()));
      });
  return generic.getResult(0);
}

Value TileBuilder::either(Value condition, llvm::function_ref<Value()> then,
                          llvm::function_ref<Value()> otherwise) {
  auto branch = [&](llvm::function_ref<Value()> body) {
    return [&, body](OpBuilder &nested, Location) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToEnd(nested.getInsertionBlock());
      scf::YieldOp::create(b, body());
    };
  };
  return scf::IfOp::create(b, condition, branch(then), branch(otherwise))
      .getResult(0);
}

void TileBuilder::onlyIf(Value condition, llvm::function_ref<void()> then,
                         llvm::function_ref<void()> otherwise) {
  auto branch = scf::IfOp::create(b, condition, static_cast<bool>(otherwise));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(branch.thenYield());
  then();
  if (!otherwise)
    return;
  b.setInsertionPoint(branch.elseYield());
  otherwise();
}

Value TileBuilder::load(Value memory, Value batch, Value head, Value row,
                        int64_t rows, int64_t width) {
  Type elementType = cast<MemRefType>(memory.getType()).getElementType();
  return tile::LoadOp::create(b,
                              RankedTensorType::get({rows, width}, elementType),
                              memory, ValueRange{batch, head, row});
}

/// The product of operands whose dimensions are named by `lhsDims` and
/// `rhsDims`: 0 and 1 are those of the result, 2 is summed over.
static Value productOf(ImplicitLocOpBuilder &b, Value lhs, Value rhs,
                       Value init, std::array<unsigned, 2> lhsDims,
                       std::array<unsigned, 2> rhsDims) {
  auto map = [&](std::array<unsigned, 2> dims) {
    return AffineMap::getMultiDimMapWithTargets(3, dims, b.getContext());
  };
  auto op = linalg::ContractOp::create(
      b, TypeRange{init.getType()}, ValueRange{lhs, rhs}, ValueRange{init},
      b.getAffineMapArrayAttr({map(lhsDims), map(rhsDims), map({0, 1})}));
  return op->getResult(0);
}

Value TileBuilder::contract(Value lhs, Value rhs, Value init, bool transposed) {
  return productOf(b, lhs, rhs, init, {0, 2},
                   transposed ? std::array<unsigned, 2>{1, 2}
                              : std::array<unsigned, 2>{2, 1});
}

Value TileBuilder::contractColumns(Value lhs, Value rhs, Value init) {
  return productOf(b, lhs, rhs, init, {2, 0}, {2, 1});
}

Value TileBuilder::addWeighted(Value weights, Value values, Value sum,
                               Value mayDrop) {
  Value dirty = either(
      mayDrop,
      [&]() -> Value {
        return tile::HasNonfiniteOp::create(b, b.getI1Type(), values);
      },
      [&]() -> Value { return arith::ConstantIntOp::create(b, 0, 1); });
  auto product = [&]() -> Value {
    return contract(weights, values, sum, /*transposed=*/false);
  };
  return either(
      dirty,
      [&] {
        Value safe = product();
        safe.getDefiningOp()->setAttr(tile::zeroSafeMark, b.getUnitAttr());
        return safe;
      },
      product);
}

Value TileBuilder::times(Value tile, Value factor) {
  return elementwise({tile, factor}, tile.getType(),
                     [&](ValueRange in) -> Value {
                       return arith::MulFOp::create(b, in[0], in[1]);
                     });
}

Value TileBuilder::truncate(Value tile, Type elementType) {
  auto type = cast<RankedTensorType>(tile.getType()).clone(elementType);
  if (type == tile.getType())
    return tile;
  return elementwise({tile}, type, [&](ValueRange in) -> Value {
    return arith::TruncFOp::create(b, elementType, in[0]);
  });
}

Value TileBuilder::splat(ArrayRef<int64_t> shape, float value) {
  auto type = RankedTensorType::get(shape, b.getF32Type());
  return arith::ConstantOp::create(b, DenseElementsAttr::get(type, value));
}

Value TileBuilder::f32(float value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
}

Value TileBuilder::index(int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}

Value TileBuilder::toI32(Value value) {
  return arith::IndexCastOp::create(b, b.getI32Type(), value);
}

Value TileBuilder::toIndex(Value value) {
  return arith::IndexCastOp::create(b, b.getIndexType(), value);
}
