// Formulas as C++ writes them: numbers whose operators emit arith and math
// operations, on scalars or vectors alike.
#ifndef ATTN_LIB_CONVERSION_EXPANDMATH_NUMBER_H
#define ATTN_LIB_CONVERSION_EXPANDMATH_NUMBER_H

#include "attn/Dialect/Attn/IR/ModProgram.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn {

/// A value of f32, f64, i32, i64 or i1, or a vector of these, and where to emit
/// what is computed from it. Floats are computed as written: no target may fuse
/// a product and a sum (ModProgram.h, markExact).
class Number {
public:
  Number(ImplicitLocOpBuilder &b, Value value) : b(&b), value(value) {}

  ImplicitLocOpBuilder &builder() const { return *b; }
  operator Value() const { return value; }
  Type type() const { return value.getType(); }
  Type elementType() const { return getElementTypeOrSelf(value.getType()); }
  bool isFloat() const { return isa<FloatType>(elementType()); }
  unsigned width() const { return elementType().getIntOrFloatBitWidth(); }

  /// A constant of this number's type, or shape and another element type.
  Number constant(double x) const { return constant(elementType(), x); }
  Number constant(Type element, double x) const {
    return splat(element, FloatAttr::get(element, x));
  }
  Number integer(int64_t x) const { return integer(elementType(), x); }
  Number integer(Type element, int64_t x) const {
    unsigned width = element.getIntOrFloatBitWidth();
    return splat(element,
                 IntegerAttr::get(element, APInt(width, x, /*isSigned=*/true,
                                                 /*implicitTrunc=*/true)));
  }

  Number operator+(Number y) const {
    return sum<arith::AddFOp, arith::AddIOp>(y);
  }
  Number operator-(Number y) const {
    return sum<arith::SubFOp, arith::SubIOp>(y);
  }
  Number operator*(Number y) const {
    return sum<arith::MulFOp, arith::MulIOp>(y);
  }
  Number operator/(Number y) const {
    return emit<arith::DivFOp>(value, y.value);
  }
  Number operator+(double y) const { return *this + literal(y); }
  Number operator-(double y) const { return *this - literal(y); }
  Number operator*(double y) const { return *this * literal(y); }
  Number operator-() const {
    return isFloat() ? emit<arith::NegFOp>(value) : integer(0) - *this;
  }
  Number operator&(Number y) const {
    return emit<arith::AndIOp>(value, y.value);
  }
  Number operator|(Number y) const {
    return emit<arith::OrIOp>(value, y.value);
  }
  Number operator^(Number y) const {
    return emit<arith::XOrIOp>(value, y.value);
  }
  Number operator<<(Number y) const {
    return emit<arith::ShLIOp>(value, y.value);
  }
  /// Without the sign.
  Number operator>>(Number y) const {
    return emit<arith::ShRUIOp>(value, y.value);
  }
  Number operator&(int64_t y) const { return *this & integer(y); }
  Number operator<<(int64_t y) const { return *this << integer(y); }
  Number operator>>(int64_t y) const { return *this >> integer(y); }
  /// With the sign.
  Number shiftedRight(int64_t y) const {
    return emit<arith::ShRSIOp>(value, integer(y).value);
  }
  Number operator!() const { return *this ^ integer(-1); }

  // Ordered for floats, signed for integers. What compares is i1.
  Number operator<(Number y) const {
    return compare(arith::CmpFPredicate::OLT, arith::CmpIPredicate::slt, y);
  }
  Number operator>(Number y) const { return y < *this; }
  Number operator<=(Number y) const {
    return compare(arith::CmpFPredicate::OLE, arith::CmpIPredicate::sle, y);
  }
  Number operator>=(Number y) const { return y <= *this; }
  Number operator==(Number y) const {
    return compare(arith::CmpFPredicate::OEQ, arith::CmpIPredicate::eq, y);
  }
  /// True for NaN.
  Number operator!=(Number y) const {
    return compare(arith::CmpFPredicate::UNE, arith::CmpIPredicate::ne, y);
  }
  Number operator<(double y) const { return *this < literal(y); }
  Number operator>(double y) const { return *this > literal(y); }
  Number operator<=(double y) const { return *this <= literal(y); }
  Number operator>=(double y) const { return *this >= literal(y); }
  Number operator==(double y) const { return *this == literal(y); }
  Number operator!=(double y) const { return *this != literal(y); }
  Number isNaN() const { return *this != *this; }

  /// This i1 ? x : y.
  Number select(Number x, Number y) const {
    return emit<arith::SelectOp>(value, x.value, y.value);
  }
  Number select(Number x, double y) const { return select(x, x.literal(y)); }
  Number select(double x, Number y) const { return select(y.literal(x), y); }

  /// this * y + z, rounded once.
  Number fma(Number y, Number z) const {
    return emit<math::FmaOp>(value, y.value, z.value);
  }
  Number fma(Number y, double z) const { return fma(y, literal(z)); }
  Number fma(double y, Number z) const { return fma(literal(y), z); }
  Number fma(double y, double z) const { return fma(literal(y), literal(z)); }
  Number abs() const { return emit<math::AbsFOp>(value); }
  Number sqrt() const { return emit<math::SqrtOp>(value); }
  Number floor() const { return emit<math::FloorOp>(value); }
  Number truncatedToWhole() const { return emit<math::TruncOp>(value); }
  Number withSignOf(Number y) const {
    return emit<math::CopySignOp>(value, y.value);
  }
  /// x < bound ? bound : x, and the same from above; NaN stays.
  Number clampedFrom(double bound) const {
    return (*this < bound).select(bound, *this);
  }
  Number clampedTo(double bound) const {
    return (*this > bound).select(bound, *this);
  }

  /// The same bits as integers or floats, the same width.
  Number bits() const {
    return convert<arith::BitcastOp>(b->getIntegerType(width()));
  }
  Number asFloat() const {
    return convert<arith::BitcastOp>(width() == 64 ? Type(b->getF64Type())
                                                   : Type(b->getF32Type()));
  }
  Number toF64() const { return convert<arith::ExtFOp>(b->getF64Type()); }
  Number toF32() const { return convert<arith::TruncFOp>(b->getF32Type()); }
  /// Between integers and floats, signed; the integer must hold the value.
  Number toInteger(unsigned width) const {
    return convert<arith::FPToSIOp>(b->getIntegerType(width));
  }
  Number toFloat(Type element) const {
    return convert<arith::SIToFPOp>(element);
  }
  Number zeroExtended(unsigned width) const {
    return convert<arith::ExtUIOp>(b->getIntegerType(width));
  }
  Number signExtended(unsigned width) const {
    return convert<arith::ExtSIOp>(b->getIntegerType(width));
  }
  Number truncated(unsigned width) const {
    return convert<arith::TruncIOp>(b->getIntegerType(width));
  }

private:
  Number literal(double x) const {
    return isFloat() ? constant(x) : integer(static_cast<int64_t>(x));
  }
  Type shaped(Type element) const {
    if (auto vector = dyn_cast<VectorType>(value.getType()))
      return VectorType::get(vector.getShape(), element);
    return element;
  }
  Number splat(Type element, TypedAttr attr) const {
    if (auto vector = dyn_cast<VectorType>(value.getType()))
      attr = SplatElementsAttr::get(llvm::cast<VectorType>(shaped(element)),
                                    Attribute(attr));
    return {*b, arith::ConstantOp::create(*b, attr)};
  }
  template <typename Op, typename... Args> Number emit(Args... args) const {
    auto op = Op::create(*b, args...);
    markExact(op);
    return {*b, op};
  }
  template <typename FloatOp, typename IntegerOp> Number sum(Number y) const {
    return isFloat() ? emit<FloatOp>(value, y.value)
                     : emit<IntegerOp>(value, y.value);
  }
  template <typename Op> Number convert(Type element) const {
    return emit<Op>(shaped(element), value);
  }
  Number compare(arith::CmpFPredicate floats, arith::CmpIPredicate integers,
                 Number y) const {
    return isFloat() ? emit<arith::CmpFOp>(floats, value, y.value)
                     : emit<arith::CmpIOp>(integers, value, y.value);
  }

  ImplicitLocOpBuilder *b;
  Value value;
};

/// Horner's scheme in fused steps; the constant coefficient comes first.
template <size_t n> Number polynomial(Number x, const double (&c)[n]) {
  Number sum = x.constant(c[n - 1]);
  for (size_t i = n - 1; i-- > 0;)
    sum = sum.fma(x, c[i]);
  return sum;
}

} // namespace mlir::attn

#endif // ATTN_LIB_CONVERSION_EXPANDMATH_NUMBER_H
