// See MergedRow.h.
#include "MergedRow.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <cmath>

using namespace mlir;
using namespace mlir::attn;

static constexpr double ln2 = 0.6931471805599453;

void MergedRow::begin(Value maximum) {
  greatest = maximum;
  Value none = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, greatest,
                                     f32(-INFINITY));
  base = arith::SelectOp::create(b, none, f32(0), greatest);
}

Value MergedRow::decay(Value exponent) {
  Value distance = arith::SubFOp::create(b, exponent, base);
  return math::Exp2Op::create(b,
                              arith::MulFOp::create(b, distance, f32(factor)));
}

MergedRow::Sums MergedRow::none() {
  return {f32(0), arith::ConstantOp::create(b, b.getZeroAttr(type()))};
}

MergedRow::Sums MergedRow::add(const Sums &sums, Value weight, Value mean) {
  Value isNone =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, weight, f32(0));
  mean = arith::SelectOp::create(b, isNone, none().values, mean);
  Value factors = vector::BroadcastOp::create(b, type(), weight);
  Value values = arith::AddFOp::create(b, sums.values,
                                       arith::MulFOp::create(b, factors, mean));
  return {arith::AddFOp::create(b, sums.weights, weight), values};
}

void MergedRow::storeOut(const Sums &sums, int64_t channels, Value out,
                         ArrayRef<Value> at) {
  Value isNone =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, sums.weights, f32(0));
  Value divisor = arith::SelectOp::create(b, isNone, f32(1), sums.weights);
  Value inverse = arith::DivFOp::create(b, f32(1), divisor);
  Type element = cast<MemRefType>(out.getType()).getElementType();
  for (int64_t i = 0; i < width; ++i) {
    Value channel = arith::AddIOp::create(
        b, arith::MulIOp::create(b, group, index(width)), index(i));
    Value exists = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, channel,
                                         index(channels));
    onlyIf(exists, [&] {
      Value result = arith::MulFOp::create(
          b, vector::ExtractOp::create(b, sums.values, i), inverse);
      if (!element.isF32())
        result = arith::TruncFOp::create(b, element, result);
      SmallVector<Value> place(at);
      place.push_back(channel);
      memref::StoreOp::create(b, result, out, place);
    });
  }
}

void MergedRow::storeLse(const Sums &sums, Value lse, ArrayRef<Value> at) {
  Value isFirst =
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, group, index(0));
  onlyIf(isFirst, [&] {
    Value maximum = arith::MulFOp::create(b, greatest, f32(factor * ln2));
    Value sum = math::FmaOp::create(b, math::Log2Op::create(b, sums.weights),
                                    f32(ln2), maximum);
    memref::StoreOp::create(b, sum, lse, at);
  });
}
