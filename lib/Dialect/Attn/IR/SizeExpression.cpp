// See SizeExpression.h.
#include "attn/Dialect/Attn/IR/SizeExpression.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

#include <limits>

using namespace mlir;
using namespace mlir::attn;

//===--- parsing ----------------------------------------------------------===//

class SizeExpression::Parser {
public:
  Parser(StringRef text, SmallVectorImpl<Step> &steps, std::string &error)
      : rest(text), steps(steps), error(error) {}

  bool parse() {
    if (!sum())
      return false;
    return rest.ltrim().empty() || fail("an operator");
  }

private:
  /// Deeper nesting than anybody writes would exhaust the stack.
  static constexpr int maxDepth = 64;

  bool fail(StringRef wanted) {
    StringRef found = rest.ltrim();
    error = ("expects " + wanted + ", got " +
             (found.empty() ? "the end" : "'" + found.take_front(16) + "'"))
                .str();
    return false;
  }

  bool accept(StringRef token) {
    StringRef after = rest.ltrim();
    if (!after.consume_front(token))
      return false;
    // `ceildivision` is no operator.
    if (llvm::isAlpha(token.back()) && !after.empty() &&
        (llvm::isAlnum(after.front()) || after.front() == '_'))
      return false;
    rest = after;
    return true;
  }

  bool sum() {
    if (!product())
      return false;
    while (true) {
      Kind kind = accept("+")   ? Kind::Add
                  : accept("-") ? Kind::Subtract
                                : Kind::Integer;
      if (kind == Kind::Integer)
        return true;
      if (!product())
        return false;
      steps.push_back({kind});
    }
  }

  bool product() {
    if (!factor())
      return false;
    while (true) {
      Kind kind = accept("*")         ? Kind::Multiply
                  : accept("/")       ? Kind::FloorDiv
                  : accept("ceildiv") ? Kind::CeilDiv
                                      : Kind::Integer;
      if (kind == Kind::Integer)
        return true;
      if (!factor())
        return false;
      steps.push_back({kind});
    }
  }

  bool factor() {
    if (++depth > maxDepth)
      return fail("less nesting");
    bool parsed = factorWithin();
    --depth;
    return parsed;
  }

  bool factorWithin() {
    if (accept("-")) {
      steps.push_back({Kind::Integer, 0});
      if (!factor())
        return false;
      steps.push_back({Kind::Subtract});
      return true;
    }
    if (accept("("))
      return sum() && (accept(")") || fail("')'"));
    StringRef at = rest.ltrim();
    StringRef digits = at.take_while(llvm::isDigit);
    if (!digits.empty()) {
      int64_t value = 0;
      if (digits.getAsInteger(10, value))
        return fail("an integer of 64 bits");
      rest = at.drop_front(digits.size());
      steps.push_back({Kind::Integer, value});
      return true;
    }
    for (auto [i, name] : llvm::enumerate(sizeNames))
      if (accept(name)) {
        steps.push_back({Kind::Size, static_cast<int64_t>(i)});
        return true;
      }
    return fail("an integer or one of " +
                llvm::join(ArrayRef(sizeNames), ", "));
  }

  StringRef rest;
  SmallVectorImpl<Step> &steps;
  std::string &error;
  int depth = 0;
};

std::optional<SizeExpression> SizeExpression::parse(StringRef text,
                                                    std::string &error) {
  SizeExpression expression;
  if (!Parser(text, expression.steps, error).parse())
    return std::nullopt;
  return expression;
}

//===--- evaluation -------------------------------------------------------===//

std::optional<int64_t> SizeExpression::evaluate(ArrayRef<int64_t> sizes) const {
  SmallVector<int64_t> stack;
  for (const Step &step : steps) {
    if (step.kind == Kind::Integer || step.kind == Kind::Size) {
      stack.push_back(step.kind == Kind::Integer ? step.value
                                                 : sizes[step.value]);
      continue;
    }
    int64_t y = stack.pop_back_val(), &x = stack.back();
    bool divides = step.kind == Kind::FloorDiv || step.kind == Kind::CeilDiv;
    if (divides &&
        (y == 0 || (y == -1 && x == std::numeric_limits<int64_t>::min())))
      return std::nullopt;
    bool overflows = false;
    switch (step.kind) {
    case Kind::Add:
      overflows = llvm::AddOverflow(x, y, x);
      break;
    case Kind::Subtract:
      overflows = llvm::SubOverflow(x, y, x);
      break;
    case Kind::Multiply:
      overflows = llvm::MulOverflow(x, y, x);
      break;
    case Kind::FloorDiv:
      x = llvm::divideFloorSigned(x, y);
      break;
    case Kind::CeilDiv:
      x = llvm::divideCeilSigned(x, y);
      break;
    case Kind::Integer:
    case Kind::Size:
      break;
    }
    if (overflows)
      return std::nullopt;
  }
  return stack.front();
}

/// x / y by `Op`, or 0 if y is 0.
template <typename Op>
static Value divided(ImplicitLocOpBuilder &b, Value x, Value y) {
  Value zero = arith::ConstantIndexOp::create(b, 0);
  Value one = arith::ConstantIndexOp::create(b, 1);
  Value isZero =
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, y, zero).getResult();
  Value quotient = Op::create(b, x, arith::SelectOp::create(b, isZero, one, y));
  return arith::SelectOp::create(b, isZero, zero, quotient);
}

Value SizeExpression::emit(ImplicitLocOpBuilder &b, ValueRange sizes) const {
  SmallVector<Value> stack;
  for (const Step &step : steps) {
    if (step.kind == Kind::Integer) {
      stack.push_back(arith::ConstantIndexOp::create(b, step.value));
      continue;
    }
    if (step.kind == Kind::Size) {
      stack.push_back(sizes[step.value]);
      continue;
    }
    Value y = stack.pop_back_val(), x = stack.pop_back_val();
    stack.push_back(
        step.kind == Kind::Add        ? arith::AddIOp::create(b, x, y)
        : step.kind == Kind::Subtract ? arith::SubIOp::create(b, x, y)
        : step.kind == Kind::Multiply ? arith::MulIOp::create(b, x, y)
        : step.kind == Kind::FloorDiv ? divided<arith::FloorDivSIOp>(b, x, y)
                                      : divided<arith::CeilDivSIOp>(b, x, y));
  }
  return stack.front();
}
