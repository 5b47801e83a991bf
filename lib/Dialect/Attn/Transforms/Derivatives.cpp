// See Derivatives.h. r is the result, a its gradient, x, y and z the operands.
#include "Derivatives.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::attn;

namespace {

class Rules {
public:
  Rules(ImplicitLocOpBuilder &b, OpResult result, Value gradient)
      : b(b), op(result.getOwner()), number(result.getResultNumber()),
        r(wide(result)), a(gradient) {}

  FailureOr<SmallVector<Contribution>> emit() {
    if (!isStep() && !emitArith() && !emitMath())
      return failure();
    return contributions;
  }

private:
  void add(unsigned operand, Value value) {
    contributions.push_back({&op->getOpOperand(operand), value});
  }

  bool isStep() {
    return isa<math::FloorOp, math::CeilOp, math::RoundOp, math::RoundEvenOp,
               math::TruncOp, arith::SIToFPOp, arith::UIToFPOp,
               arith::BitcastOp, arith::ConstantOp>(op);
  }

  bool emitArith() {
    return llvm::TypeSwitch<Operation *, bool>(op)
        .Case<arith::ExtFOp, arith::TruncFOp>([&](auto) {
          add(0, a);
          return true;
        })
        .Case([&](arith::AddFOp) {
          add(0, a), add(1, a);
          return true;
        })
        .Case([&](arith::SubFOp) {
          add(0, a), add(1, neg(a));
          return true;
        })
        .Case([&](arith::NegFOp) {
          add(0, neg(a));
          return true;
        })
        .Case([&](arith::MulFOp) {
          add(0, mul(a, in(1))), add(1, mul(a, in(0)));
          return true;
        })
        .Case([&](arith::DivFOp) {
          Value quotient = div(a, in(1));
          add(0, quotient), add(1, neg(mul(quotient, r)));
          return true;
        })
        .Case([&](arith::RemFOp) { // x - trunc(x / y) y
          Value whole = math::TruncOp::create(b, div(in(0), in(1)));
          add(0, a), add(1, neg(mul(a, whole)));
          return true;
        })
        .Case<arith::MaximumFOp, arith::MinimumFOp, arith::MaxNumFOp,
              arith::MinNumFOp>([&](auto) {
          // The first where both are the result.
          Value first = compare(arith::CmpFPredicate::OEQ, in(0), r);
          add(0, where(first, a, zero())), add(1, where(first, zero(), a));
          return true;
        })
        .Case([&](arith::SelectOp select) {
          Value condition = select.getCondition();
          add(1, where(condition, a, zero()));
          add(2, where(condition, zero(), a));
          return true;
        })
        .Default(false);
  }

  bool emitMath() {
    return emitExponentials() || emitCircular() || emitHyperbolic() ||
           emitOthers();
  }

  bool emitExponentials() {
    using namespace llvm::numbers;
    return llvm::TypeSwitch<Operation *, bool>(op)
        .Case([&](math::ExpOp) { return factor(r); })
        .Case([&](math::Exp2Op) { return factor(mul(r, constant(ln2))); })
        .Case([&](math::ExpM1Op) { return factor(plus(r, constant(1))); })
        .Case([&](math::LogOp) { return quotient(in(0)); })
        .Case([&](math::Log2Op) { return quotient(mul(in(0), constant(ln2))); })
        .Case(
            [&](math::Log10Op) { return quotient(mul(in(0), constant(ln10))); })
        .Case([&](math::Log1pOp) { return quotient(plus(in(0), constant(1))); })
        .Case([&](math::SqrtOp) { return quotient(plus(r, r)); })
        .Case([&](math::RsqrtOp) { // -r / (2 x)
          add(0, neg(safeDiv(mul(a, r), plus(in(0), in(0)))));
          return true;
        })
        .Case(
            [&](math::CbrtOp) { return quotient(mul(constant(3), mul(r, r))); })
        .Case([&](math::PowFOp) { return power(); })
        .Case([&](math::FPowIOp) { // y x^(y-1) is y r / x, but at 0
          Value exponent = op->getOperand(1);
          Value one = arith::ConstantOp::create(
              b, b.getIntegerAttr(exponent.getType(), 1));
          Value lower = math::FPowIOp::create(
              b, in(0), arith::SubIOp::create(b, exponent, one));
          Value y = arith::SIToFPOp::create(b, b.getF32Type(), exponent);
          Value none = compare(arith::CmpFPredicate::OEQ, y, zero());
          add(0, where(none, zero(), mul(a, mul(y, lower))));
          return true;
        })
        .Default(false);
  }

  /// y x^(y-1), and r ln x. No gradient where it would be infinite: of the base
  /// at 0 for a power below 1; of the power where x is not positive.
  bool power() {
    using P = arith::CmpFPredicate;
    Value x = in(0), y = in(1);
    Value lower = math::PowFOp::create(b, x, plus(y, constant(-1)));
    Value isPole = arith::AndIOp::create(b, compare(P::OEQ, x, zero()),
                                         compare(P::OLT, y, constant(1)));
    add(0, where(isPole, zero(), mul(a, mul(y, lower))));
    Value log = math::LogOp::create(b, x);
    add(1, where(compare(P::OGT, x, zero()), mul(a, mul(r, log)), zero()));
    return true;
  }

  bool emitCircular() {
    return llvm::TypeSwitch<Operation *, bool>(op)
        .Case(
            [&](math::SinOp) { return factor(math::CosOp::create(b, in(0))); })
        .Case([&](math::CosOp) {
          return factor(neg(math::SinOp::create(b, in(0))));
        })
        .Case([&](math::SincosOp sincos) {
          return number == 0 ? factor(wide(sincos.getCos()))
                             : factor(neg(wide(sincos.getSin())));
        })
        .Case([&](math::TanOp) { return factor(plus(constant(1), mul(r, r))); })
        .Case([&](math::AsinOp) { return quotient(root(oneMinus(in(0)))); })
        .Case([&](math::AcosOp) {
          add(0, neg(safeDiv(a, root(oneMinus(in(0))))));
          return true;
        })
        .Case([&](math::AtanOp) {
          return quotient(plus(constant(1), mul(in(0), in(0))));
        })
        .Case([&](math::Atan2Op) { // of y / x: x is the second operand
          Value y = in(0), x = in(1);
          Value square = plus(mul(x, x), mul(y, y));
          add(0, safeDiv(mul(a, x), square));
          add(1, neg(safeDiv(mul(a, y), square)));
          return true;
        })
        .Default(false);
  }

  bool emitHyperbolic() {
    return llvm::TypeSwitch<Operation *, bool>(op)
        .Case([&](math::TanhOp) { return factor(oneMinus(r)); })
        .Case([&](math::SinhOp) {
          return factor(math::CoshOp::create(b, in(0)));
        })
        .Case([&](math::CoshOp) {
          return factor(math::SinhOp::create(b, in(0)));
        })
        .Case([&](math::AsinhOp) {
          return quotient(root(plus(mul(in(0), in(0)), constant(1))));
        })
        .Case([&](math::AcoshOp) {
          return quotient(root(plus(mul(in(0), in(0)), constant(-1))));
        })
        .Case([&](math::AtanhOp) { return quotient(oneMinus(in(0))); })
        .Default(false);
  }

  bool emitOthers() {
    using P = arith::CmpFPredicate;
    return llvm::TypeSwitch<Operation *, bool>(op)
        .Case([&](math::FmaOp) {
          add(0, mul(a, in(1))), add(1, mul(a, in(0))), add(2, a);
          return true;
        })
        .Case([&](math::ErfOp) { return factor(bell(1)); })
        .Case([&](math::ErfcOp) { return factor(bell(-1)); })
        .Case([&](math::AbsFOp) { // 0 at 0
          Value below = compare(P::OLT, in(0), zero());
          Value above = compare(P::OGT, in(0), zero());
          add(0, where(above, a, where(below, neg(a), zero())));
          return true;
        })
        .Case([&](math::CopySignOp) {
          // a where the sign stays, -a where it changes, 0 at 0.
          Value one = constant(1);
          Value of = math::CopySignOp::create(b, one, in(0));
          Value to = math::CopySignOp::create(b, one, in(1));
          Value isZero = compare(P::OEQ, in(0), zero());
          add(0, where(isZero, zero(), mul(a, mul(of, to))));
          return true;
        })
        .Case([&](math::ClampFOp) {
          // Of the value where it is within; else of the limit.
          Value low = compare(P::OLT, in(0), in(1));
          Value raised = where(low, in(1), in(0));
          Value high = compare(P::OGT, raised, in(2));
          Value within = where(high, zero(), a);
          add(0, where(low, zero(), within));
          add(1, where(low, within, zero()));
          add(2, where(high, a, zero()));
          return true;
        })
        .Default(false);
  }

  /// +-2 / sqrt(pi) exp(-x^2)
  Value bell(int sign) {
    Value x = in(0);
    Value exponential = math::ExpOp::create(b, neg(mul(x, x)));
    return mul(constant(sign * 2 * llvm::numbers::inv_sqrtpi), exponential);
  }

  bool factor(Value derivative) {
    add(0, mul(a, derivative));
    return true;
  }
  bool quotient(Value divisor) {
    add(0, safeDiv(a, divisor));
    return true;
  }

  //===--- numbers --------------------------------------------------------===//
  Value wide(Value value) {
    if (!isa<FloatType>(value.getType()) || value.getType().isF32())
      return value;
    return arith::ExtFOp::create(b, b.getF32Type(), value);
  }
  Value in(unsigned operand) { return wide(op->getOperand(operand)); }
  Value constant(double value) {
    return arith::ConstantOp::create(
        b, b.getF32FloatAttr(static_cast<float>(value)));
  }
  Value zero() { return constant(0); }
  Value neg(Value x) { return arith::NegFOp::create(b, x); }
  Value mul(Value x, Value y) { return arith::MulFOp::create(b, x, y); }
  Value plus(Value x, Value y) { return arith::AddFOp::create(b, x, y); }
  Value div(Value x, Value y) { return arith::DivFOp::create(b, x, y); }
  Value root(Value x) { return math::SqrtOp::create(b, x); }
  Value oneMinus(Value x) {
    return arith::SubFOp::create(b, constant(1), mul(x, x));
  }
  Value compare(arith::CmpFPredicate predicate, Value x, Value y) {
    return arith::CmpFOp::create(b, predicate, x, y);
  }
  Value where(Value condition, Value x, Value y) {
    return arith::SelectOp::create(b, condition, x, y);
  }
  /// 0 where the divisor is 0: infinity would become NaN where it meets a
  /// gradient of 0.
  Value safeDiv(Value x, Value y) {
    return where(compare(arith::CmpFPredicate::OEQ, y, zero()), zero(),
                 div(x, y));
  }

  ImplicitLocOpBuilder &b;
  Operation *op;
  unsigned number;
  Value r, a;
  SmallVector<Contribution> contributions;
};

} // namespace

FailureOr<SmallVector<Contribution>>
mlir::attn::emitContributions(ImplicitLocOpBuilder &b, OpResult result,
                              Value gradient) {
  return Rules(b, result, gradient).emit();
}
