// See RaggedRows.h. What each row belongs to is looked up sequence by sequence,
// once, into a tensor.
#include "RaggedRows.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::attn;

static Value startOf(OpBuilder &b, Location loc, Value starts, Value i) {
  Value start = tensor::ExtractOp::create(b, loc, starts, i);
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), start);
}

RaggedRows::RaggedRows(ImplicitLocOpBuilder &builder, Value tensor,
                       Value starts)
    : starts(starts) {
  if (!starts)
    return;
  Value rows = tensor::DimOp::create(builder, tensor, 2);
  Value one = arith::ConstantIndexOp::create(builder, 1);
  Value zero = arith::ConstantIndexOp::create(builder, 0);
  Value none = arith::ConstantIndexOp::create(builder, -1);
  Value sequences = arith::SubIOp::create(
      builder, tensor::DimOp::create(builder, starts, 0), one);
  auto type =
      RankedTensorType::get({ShapedType::kDynamic}, builder.getIndexType());
  owners = tensor::GenerateOp::create(
      builder, type, rows, [&](OpBuilder &b, Location loc, ValueRange at) {
        auto search = scf::ForOp::create(
            b, loc, zero, sequences, one, none,
            [&](OpBuilder &b, Location loc, Value i, ValueRange found) {
              Value next = arith::AddIOp::create(b, loc, i, one);
              Value begins =
                  arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sge,
                                        at[0], startOf(b, loc, starts, i));
              Value ends =
                  arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt,
                                        at[0], startOf(b, loc, starts, next));
              Value inside = arith::AndIOp::create(b, loc, begins, ends);
              Value owner =
                  arith::SelectOp::create(b, loc, inside, i, found[0]);
              scf::YieldOp::create(b, loc, owner);
            });
        tensor::YieldOp::create(b, loc, search.getResult(0));
      });
}

Value RaggedRows::sequenceOf(OpBuilder &b, Location loc, Value row) const {
  return tensor::ExtractOp::create(b, loc, owners, row);
}

Value RaggedRows::positionIn(OpBuilder &b, Location loc, Value sequence,
                             Value row) const {
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  Value first =
      arith::MaxSIOp::create(b, loc, startOf(b, loc, starts, sequence), zero);
  return arith::MaxSIOp::create(
      b, loc, arith::SubIOp::create(b, loc, row, first), zero);
}
