// Short names for the scalar operations that analyses emit; what is constant
// folds on the spot.
#ifndef ATTN_LIB_ANALYSIS_EMISSION_H
#define ATTN_LIB_ANALYSIS_EMISSION_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn {

class Emission {
public:
  explicit Emission(ImplicitLocOpBuilder &builder) : b(builder) {}

  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value bit(bool value) { return arith::ConstantIntOp::create(b, value, 1); }

  Value add(Value x, Value y) { return b.createOrFold<arith::AddIOp>(x, y); }
  Value sub(Value x, Value y) { return b.createOrFold<arith::SubIOp>(x, y); }
  Value mul(Value x, Value y) { return b.createOrFold<arith::MulIOp>(x, y); }
  Value min(Value x, Value y) { return b.createOrFold<arith::MinSIOp>(x, y); }
  Value max(Value x, Value y) { return b.createOrFold<arith::MaxSIOp>(x, y); }
  Value less(Value x, Value y) {
    return b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::slt, x, y);
  }
  Value atMost(Value x, Value y) {
    return b.createOrFold<arith::CmpIOp>(arith::CmpIPredicate::sle, x, y);
  }

  Value both(Value x, Value y) { return b.createOrFold<arith::AndIOp>(x, y); }
  Value either(Value x, Value y) { return b.createOrFold<arith::OrIOp>(x, y); }
  Value negation(Value x) {
    return b.createOrFold<arith::XOrIOp>(x, bit(true));
  }
  Value select(Value condition, Value x, Value y) {
    return b.createOrFold<arith::SelectOp>(condition, x, y);
  }

  Value toI32(Value value) { return cast(b.getI32Type(), value); }
  Value toI64(Value value) { return cast(b.getI64Type(), value); }
  Value toIndex(Value value) { return cast(b.getIndexType(), value); }
  Value toIndexUnsigned(Value value) {
    return b.createOrFold<arith::IndexCastUIOp>(b.getIndexType(), value);
  }

protected:
  ImplicitLocOpBuilder &b;

private:
  Value cast(Type type, Value value) {
    return value.getType() == type
               ? value
               : b.createOrFold<arith::IndexCastOp>(type, value);
  }
};

} // namespace mlir::attn

#endif // ATTN_LIB_ANALYSIS_EMISSION_H
