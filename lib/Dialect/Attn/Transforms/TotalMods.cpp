// attn-total-mods: every operation of a mod has a defined result, so that
// nothing in a mod traps and all of it may be executed speculatively. The
// results are those of docs/Mods.md.
#include "attn/Dialect/Attn/Transforms/Passes.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <limits>

namespace mlir::attn {
#define GEN_PASS_DEF_ATTNTOTALMODSPASS
#include "attn/Dialect/Attn/Transforms/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;

namespace {
/// Emits the guarded form of one operation in front of it.
class Guard {
public:
  explicit Guard(Operation *op)
      : b(op->getLoc(), op), op(op), type(op->getResult(0).getType()) {}

  /// What stands for the result; null if the operation is defined as it is.
  Value emit();

private:
  Value number(int64_t value) { return number(type, value); }
  Value number(Type type, int64_t value) {
    if (type.isIndex())
      return arith::ConstantIndexOp::create(b, value);
    return arith::ConstantOp::create(b, b.getIntegerAttr(type, value));
  }
  Value number(Type type, const APInt &value) {
    return arith::ConstantOp::create(b, b.getIntegerAttr(type, value));
  }
  Value real(double value) {
    return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
  }
  template <typename Op> Value make(Value x, Value y) {
    return b.createOrFold<Op>(x, y);
  }
  template <typename Op> Value cast(Type to, Value x) {
    return x.getType() == to ? x : b.createOrFold<Op>(to, x);
  }
  Value is(arith::CmpIPredicate predicate, Value x, Value y) {
    return b.createOrFold<arith::CmpIOp>(predicate, x, y);
  }
  Value is(arith::CmpFPredicate predicate, Value x, Value y) {
    return b.createOrFold<arith::CmpFOp>(predicate, x, y);
  }
  Value select(Value condition, Value x, Value y) {
    return b.createOrFold<arith::SelectOp>(condition, x, y);
  }
  unsigned width() {
    return type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
  }
  std::optional<APInt> constantRight() {
    APInt value;
    if (matchPattern(op->getOperand(1), m_ConstantInt(&value)))
      return value;
    return std::nullopt;
  }

  template <typename Op> Value safe(Value x, Value y) {
    auto made = Op::create(b, x, y);
    markTotal(made);
    return made;
  }
  Value unsignedDivision(Value x, Value y, bool remainder);
  Value signedDivision(Value x, Value y, bool remainder);
  Value roundedDivision(Value x, Value y, bool isSigned, bool up);
  Value division();
  Value shift();
  Value toInteger();
  Value fromBoolean();
  Value floatClass();
  Value bitsOfFloat();
  Value signedLike();
  Value bitCount();

  ImplicitLocOpBuilder b;
  Operation *op;
  Type type;
};
} // namespace

//===----------------------------------------------------------------------===//
// Divisions
//===----------------------------------------------------------------------===//

Value Guard::unsignedDivision(Value x, Value y, bool remainder) {
  Value zero = number(0), some = make<arith::MaxUIOp>(y, number(1));
  Value none = is(arith::CmpIPredicate::eq, y, zero);
  if (remainder)
    return select(none, x, safe<arith::RemUIOp>(x, some));
  return select(none, zero, safe<arith::DivUIOp>(x, some));
}

/// Divisors of 0 and -1 are replaced by 1: the quotient by -1 is the opposite,
/// which wraps.
Value Guard::signedDivision(Value x, Value y, bool remainder) {
  using P = arith::CmpIPredicate;
  Value zero = number(0), one = number(1);
  Value none = is(P::eq, y, zero), minusOne = is(P::eq, y, number(-1));
  Value some = select(make<arith::OrIOp>(none, minusOne), one, y);
  if (remainder)
    return select(none, x, safe<arith::RemSIOp>(x, some));
  Value quotient = safe<arith::DivSIOp>(x, some);
  quotient = select(minusOne, make<arith::SubIOp>(zero, x), quotient);
  return select(none, zero, quotient);
}

/// The quotient towards zero, and one step from it where there is a rest and
/// its direction is the other one.
Value Guard::roundedDivision(Value x, Value y, bool isSigned, bool up) {
  using P = arith::CmpIPredicate;
  Value zero = number(0);
  Value quotient =
      isSigned ? signedDivision(x, y, false) : unsignedDivision(x, y, false);
  Value rest = make<arith::SubIOp>(x, make<arith::MulIOp>(quotient, y));
  Value moves = make<arith::AndIOp>(is(P::ne, rest, zero), is(P::ne, y, zero));
  if (isSigned) {
    Value signs = make<arith::XOrIOp>(rest, y);
    moves = make<arith::AndIOp>(moves, is(up ? P::sge : P::slt, signs, zero));
  }
  Value step = up ? make<arith::AddIOp>(quotient, number(1))
                  : make<arith::SubIOp>(quotient, number(1));
  return select(moves, step, quotient);
}

Value Guard::division() {
  Value x = op->getOperand(0), y = op->getOperand(1);
  bool remainder = isa<arith::RemSIOp, arith::RemUIOp>(op);
  // One bit: signed or not, the quotient is x where y is set.
  if (type.isInteger(1)) {
    Value wanted = remainder ? make<arith::XOrIOp>(y, number(1)) : y;
    return make<arith::AndIOp>(x, wanted);
  }
  bool isSigned = isa<arith::DivSIOp, arith::RemSIOp, arith::FloorDivSIOp,
                      arith::CeilDivSIOp>(op);
  bool up = isa<arith::CeilDivSIOp, arith::CeilDivUIOp>(op);
  std::optional<APInt> divisor = constantRight();
  if (divisor && !divisor->isZero() && !(isSigned && divisor->isAllOnes()) &&
      !up && !(isa<arith::FloorDivSIOp>(op) && divisor->isNegative()))
    return {};
  if (up || isa<arith::FloorDivSIOp>(op))
    return roundedDivision(x, y, isSigned, up);
  return isSigned ? signedDivision(x, y, remainder)
                  : unsignedDivision(x, y, remainder);
}

//===----------------------------------------------------------------------===//
// Shifts, conversions and the like
//===----------------------------------------------------------------------===//

/// By the width or more: nothing is left, or the sign.
Value Guard::shift() {
  Value x = op->getOperand(0), by = op->getOperand(1);
  std::optional<APInt> constant = constantRight();
  if (constant && constant->ult(width()))
    return {};
  if (type.isInteger(1)) {
    if (isa<arith::ShRSIOp>(op))
      return x;
    return make<arith::AndIOp>(x, make<arith::XOrIOp>(by, number(1)));
  }
  if (isa<arith::ShRSIOp>(op)) {
    Value most = make<arith::MinUIOp>(by, number(width() - 1));
    return safe<arith::ShRSIOp>(x, most);
  }
  auto shifted = [&](Value x, Value by) -> Value {
    return isa<arith::ShLIOp>(op) ? safe<arith::ShLIOp>(x, by)
                                  : safe<arith::ShRUIOp>(x, by);
  };
  // In two steps, each by less than the width. A choice would be shorter, but
  // LLVM 22 takes a guarded shift of 64 bits for PTX's, which sees only 32 bits
  // of the amount.
  if (width() == 64) {
    Value most = make<arith::MinUIOp>(by, number(64));
    Value half = make<arith::ShRUIOp>(most, number(1));
    return shifted(shifted(x, half), make<arith::SubIOp>(most, half));
  }
  Value fits = is(arith::CmpIPredicate::ult, by, number(width()));
  // By zero where it is not used.
  Value some = select(fits, by, number(0));
  return select(fits, shifted(x, some), number(0));
}

/// The nearest integer of the type, and 0 for NaN.
Value Guard::toInteger() {
  using P = arith::CmpFPredicate;
  Value x = op->getOperand(0);
  bool isSigned = isa<arith::FPToSIOp>(op);
  unsigned bits = width();
  // Of the floats that become an integer of the type: below `end`, and above
  // `start` or equal to it, which for unsigned integers is -1 and does not
  // belong to them.
  double end = std::ldexp(1.0, isSigned ? bits - 1 : bits);
  double start = isSigned ? -end : -1.0;
  Value least = real(start), past = real(end);
  Value fits = make<arith::AndIOp>(is(isSigned ? P::OGE : P::OGT, x, least),
                                   is(P::OLT, x, past));
  Value inside = select(fits, x, real(0));
  Type wide = bits < 32 ? Type(b.getI32Type()) : type;
  Operation *made =
      isSigned ? arith::FPToSIOp::create(b, wide, inside).getOperation()
               : arith::FPToUIOp::create(b, wide, inside).getOperation();
  markTotal(made);
  Value result = cast<arith::TruncIOp>(type, made->getResult(0));
  APInt largest =
      isSigned ? APInt::getSignedMaxValue(bits) : APInt::getMaxValue(bits);
  APInt smallest =
      isSigned ? APInt::getSignedMinValue(bits) : APInt::getMinValue(bits);
  result = select(is(P::OGE, x, past), number(type, largest), result);
  if (!isSigned)
    return result;
  return select(is(P::OLT, x, least), number(type, smallest), result);
}

/// A choice of two numbers: on a GPU the conversion gave 0 for true (an H200
/// with driver 580), though the PTX said otherwise.
Value Guard::fromBoolean() {
  double truth = isa<arith::SIToFPOp>(op) ? -1 : 1;
  return cast<arith::TruncFOp>(type,
                               select(op->getOperand(0), real(truth), real(0)));
}

/// math.isnan and its like, by comparisons: those are understood everywhere.
Value Guard::floatClass() {
  using P = arith::CmpFPredicate;
  Value x = op->getOperand(0);
  APFloat least = APFloat::getSmallestNormalized(
      llvm::cast<FloatType>(x.getType()).getFloatSemantics());
  // Small floats in f32, which has all of them.
  x = cast<arith::ExtFOp>(b.getF32Type(), x);
  if (isa<math::IsNaNOp>(op))
    return is(P::UNO, x, x);
  Value size = b.createOrFold<math::AbsFOp>(x);
  Value infinity = real(std::numeric_limits<double>::infinity());
  if (isa<math::IsInfOp>(op))
    return is(P::OEQ, size, infinity);
  Value isFinite = is(P::OLT, size, infinity);
  if (isa<math::IsFiniteOp>(op))
    return isFinite;
  return make<arith::AndIOp>(isFinite,
                             is(P::OGE, size, real(least.convertToDouble())));
}

/// The bits of a float as an integer: every NaN has the same ones, since which
/// NaN an operation gives differs from target to target.
Value Guard::bitsOfFloat() {
  Value x = op->getOperand(0);
  auto from = dyn_cast<FloatType>(x.getType());
  if (!from || isa<FloatType>(type))
    return {};
  auto bits = arith::BitcastOp::create(b, type, x);
  markTotal(bits);
  APInt nan = APFloat::getQNaN(from.getFloatSemantics()).bitcastToAPInt();
  Value wide = cast<arith::ExtFOp>(b.getF32Type(), x);
  return select(is(arith::CmpFPredicate::UNO, wide, wide), number(type, nan),
                bits);
}

/// The sign of NaN is positive, for the same reason.
Value Guard::signedLike() {
  Value x = op->getOperand(0), y = op->getOperand(1);
  auto made = math::CopySignOp::create(b, x, y);
  markTotal(made);
  return select(is(arith::CmpFPredicate::UNO, y, y),
                b.createOrFold<math::AbsFOp>(x), made);
}

/// Counts and powers of integers in 32 or 64 bits.
Value Guard::bitCount() {
  unsigned bits = width();
  if (!type.isIndex() && (bits == 32 || bits == 64))
    return {};
  Type wide = type.isIndex() ? b.getI64Type() : b.getI32Type();
  auto widen = [&](Value x, bool isSigned) -> Value {
    if (type.isIndex())
      return cast<arith::IndexCastOp>(wide, x);
    return isSigned ? cast<arith::ExtSIOp>(wide, x)
                    : cast<arith::ExtUIOp>(wide, x);
  };
  auto narrow = [&](Value x) -> Value {
    if (type.isIndex())
      return cast<arith::IndexCastOp>(type, x);
    return cast<arith::TruncIOp>(type, x);
  };
  Value x = op->getOperand(0);
  if (isa<math::AbsIOp>(op))
    return narrow(math::AbsIOp::create(b, widen(x, true)));
  if (isa<math::IPowIOp>(op))
    return narrow(math::IPowIOp::create(b, widen(x, true),
                                        widen(op->getOperand(1), true)));
  if (isa<math::CtPopOp>(op))
    return narrow(math::CtPopOp::create(b, widen(x, false)));
  if (isa<math::CountLeadingZerosOp>(op)) {
    Value count = math::CountLeadingZerosOp::create(b, widen(x, false));
    int64_t added = wide.getIntOrFloatBitWidth() - bits;
    return narrow(make<arith::SubIOp>(count, number(wide, added)));
  }
  // A bit behind the last one stops the count.
  Value stopped = widen(x, false);
  if (!type.isIndex())
    stopped = make<arith::OrIOp>(stopped, number(wide, int64_t(1) << bits));
  return narrow(math::CountTrailingZerosOp::create(b, stopped));
}

Value Guard::emit() {
  if (isTotal(op))
    return {};
  if (isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp,
          arith::FloorDivSIOp, arith::CeilDivSIOp, arith::CeilDivUIOp>(op))
    return division();
  if (isa<arith::ShLIOp, arith::ShRSIOp, arith::ShRUIOp>(op))
    return shift();
  if (isa<arith::FPToSIOp, arith::FPToUIOp>(op))
    return toInteger();
  if (isa<arith::SIToFPOp, arith::UIToFPOp>(op) &&
      op->getOperand(0).getType().isInteger(1))
    return fromBoolean();
  if (isa<math::IsNaNOp, math::IsInfOp, math::IsFiniteOp, math::IsNormalOp>(op))
    return floatClass();
  if (isa<math::AbsIOp, math::IPowIOp, math::CtPopOp, math::CountLeadingZerosOp,
          math::CountTrailingZerosOp>(op))
    return bitCount();
  if (isa<arith::BitcastOp>(op))
    return bitsOfFloat();
  if (isa<math::CopySignOp>(op))
    return signedLike();
  if (auto clamp = dyn_cast<math::ClampFOp>(op))
    return make<arith::MinimumFOp>(
        make<arith::MaximumFOp>(clamp.getValue(), clamp.getMin()),
        clamp.getMax());
  return {};
}

//===----------------------------------------------------------------------===//
// Promises and small floats
//===----------------------------------------------------------------------===//

/// Drops what would make a result undefined where the program breaks its word.
static void dropPromises(Operation *op) {
  MLIRContext *context = op->getContext();
  auto floats = dyn_cast<arith::ArithFastMathInterface>(op);
  if (floats && floats.getFastMathFlagsAttr() &&
      floats.getFastMathFlagsAttr().getValue() != arith::FastMathFlags::none)
    op->setAttr(
        floats.getFastMathAttrName(),
        arith::FastMathFlagsAttr::get(context, arith::FastMathFlags::none));
  if (auto integers = dyn_cast<arith::ArithIntegerOverflowFlagsInterface>(op))
    op->setAttr(integers.getIntegerOverflowAttrName(),
                arith::IntegerOverflowFlagsAttr::get(
                    context, arith::IntegerOverflowFlags::none));
  llvm::TypeSwitch<Operation *>(op)
      .Case<arith::DivSIOp, arith::DivUIOp, arith::ShRSIOp, arith::ShRUIOp>(
          [](auto division) { division.setIsExact(false); });
  if (auto truncation = dyn_cast<arith::TruncFOp>(op))
    truncation.removeRoundingmodeAttr();
}

static bool isSmallFloat(Type type) { return type.isF16() || type.isBF16(); }

/// Lets an operation on f16 or bf16 work on f32: its operands are extended, its
/// results rounded. What only moves or converts values stays.
static void computeInF32(Operation *op) {
  if (isa<arith::ConstantOp, arith::SelectOp, arith::BitcastOp, arith::ExtFOp,
          arith::TruncFOp, math::IsNaNOp, math::IsInfOp, math::IsFiniteOp,
          math::IsNormalOp>(op) ||
      !isa_and_nonnull<arith::ArithDialect, math::MathDialect>(
          op->getDialect()))
    return;
  if (llvm::none_of(op->getOperandTypes(), isSmallFloat) &&
      llvm::none_of(op->getResultTypes(), isSmallFloat))
    return;
  OpBuilder b(op);
  for (OpOperand &operand : op->getOpOperands())
    if (isSmallFloat(operand.get().getType()))
      operand.set(arith::ExtFOp::create(b, op->getLoc(), b.getF32Type(),
                                        operand.get()));
  b.setInsertionPointAfter(op);
  for (OpResult result : op->getResults()) {
    Type type = result.getType();
    if (!isSmallFloat(type))
      continue;
    result.setType(b.getF32Type());
    auto rounded = arith::TruncFOp::create(b, op->getLoc(), type, result);
    result.replaceAllUsesExcept(rounded, rounded);
  }
}

/// Both halves of a sum or product of indices: those of i64, which they are on
/// all targets.
static void extendIndices(Operation *op) {
  if (!isa<arith::AddUIExtendedOp, arith::MulSIExtendedOp,
           arith::MulUIExtendedOp>(op) ||
      !op->getOperand(0).getType().isIndex())
    return;
  OpBuilder b(op);
  for (OpOperand &operand : op->getOpOperands())
    operand.set(arith::IndexCastOp::create(b, op->getLoc(), b.getI64Type(),
                                           operand.get()));
  b.setInsertionPointAfter(op);
  for (OpResult result : op->getResults()) {
    if (!result.getType().isIndex())
      continue;
    result.setType(b.getI64Type());
    auto index =
        arith::IndexCastOp::create(b, op->getLoc(), b.getIndexType(), result);
    result.replaceAllUsesExcept(index, index);
  }
}

namespace {
struct AttnTotalModsPass
    : public mlir::attn::impl::AttnTotalModsPassBase<AttnTotalModsPass> {
  void runOnOperation() override {
    SmallVector<Operation *> ops;
    getOperation().walk([&](ModOp mod) {
      mod->walk([&](Operation *op) {
        if (isa_and_nonnull<arith::ArithDialect, math::MathDialect>(
                op->getDialect()))
          ops.push_back(op);
      });
    });
    for (Operation *op : ops) {
      dropPromises(op);
      computeInF32(op);
      extendIndices(op);
      if (Value value = Guard(op).emit()) {
        op->getResult(0).replaceAllUsesWith(value);
        op->erase();
      }
    }
  }
};
} // namespace
