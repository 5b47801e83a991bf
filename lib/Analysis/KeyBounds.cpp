// See KeyBounds.h for what is computed and why it is right.
//
// Overflow: a mask program computes in i32 and wraps. Values are followed as
// affine only where they cannot wrap for positions below 2^30 and uniform terms
// within +-2^29; whether the lengths and the terms are so small is tested at run
// time, and where they are not, nothing is skipped and everything is masked.
#include "attn/Analysis/KeyBounds.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/DenseMap.h"

using namespace mlir;
using namespace mlir::attn;

namespace {

constexpr int64_t maxPosition = (int64_t(1) << 30) - 1;
constexpr int64_t maxUniform = int64_t(1) << 29;

/// query * q + key * kv + uniform + constant, exact in i32.
struct Affine {
  int64_t query = 0, key = 0, constant = 0;
  Value uniform;          ///< index, or null for zero
  int64_t low = 0, high = 0; ///< what it can be, given the run-time guards
};

class Evaluator {
public:
  Evaluator(ImplicitLocOpBuilder &b, Region &mask, const KeyBoundsContext &ctx)
      : b(b), ctx(ctx), body(mask.front()) {
    auto args = body.getArguments();
    unsigned n = args.size() - 4;
    batchArg = args[n], headArg = args[n + 1], queryArg = args[n + 2],
    keyArg = args[n + 3];
    for (auto [arg, value] : llvm::zip(args, ctx.captures))
      uniforms[arg] = value;
    zero = index(0);
    minusOne = index(-1);
    lastKey = arith::SubIOp::create(b, ctx.keys, index(1));
    guard(arith::CmpIPredicate::sle, ctx.queries, index(maxPosition + 1));
    guard(arith::CmpIPredicate::sle, ctx.keys, index(maxPosition + 1));
  }

  KeyBounds run() {
    KeyBounds bounds = evaluate(body.getTerminator()->getOperand(0));
    return {choose(guards, bounds.may, all()),
            choose(guards, bounds.must, none())};
  }

private:
  //===--- intervals ------------------------------------------------------===//
  KeyInterval all() { return {zero, lastKey}; }
  KeyInterval none() { return {ctx.keys, minusOne}; }
  KeyBounds unknown() { return {all(), none()}; }

  KeyInterval choose(Value condition, KeyInterval a, KeyInterval b) {
    return {select(condition, a.low, b.low), select(condition, a.high, b.high)};
  }
  /// Brings an empty interval into its one form, so that hulls may ignore it.
  KeyInterval normalized(KeyInterval a) {
    return choose(compare(arith::CmpIPredicate::sle, a.low, a.high), a, none());
  }
  KeyInterval intersect(KeyInterval a, KeyInterval c) {
    return normalized({max(a.low, c.low), min(a.high, c.high)});
  }
  KeyInterval hull(KeyInterval a, KeyInterval c) {
    return {min(a.low, c.low), max(a.high, c.high)};
  }
  Value width(KeyInterval a) { return arith::SubIOp::create(b, a.high, a.low); }
  KeyInterval wider(KeyInterval a, KeyInterval c) {
    return choose(compare(arith::CmpIPredicate::sge, width(a), width(c)), a, c);
  }
  /// The largest interval known to lie within the union.
  KeyInterval innerUnion(KeyInterval a, KeyInterval c) {
    Value one = index(1);
    Value touching = arith::AndIOp::create(
        b,
        compare(arith::CmpIPredicate::sle, a.low,
                arith::AddIOp::create(b, c.high, one)),
        compare(arith::CmpIPredicate::sle, c.low,
                arith::AddIOp::create(b, a.high, one)));
    return choose(touching, hull(a, c), wider(a, c));
  }
  /// The complement where it is one interval; `otherwise` picks when a piece
  /// lies on either side.
  KeyInterval complement(KeyInterval a, bool inner) {
    KeyInterval below{zero, arith::SubIOp::create(b, a.low, index(1))};
    KeyInterval above{arith::AddIOp::create(b, a.high, index(1)), lastKey};
    KeyInterval both = inner ? wider(below, above) : all();
    Value fromStart = compare(arith::CmpIPredicate::sle, a.low, zero);
    Value toEnd = compare(arith::CmpIPredicate::sge, a.high, lastKey);
    return normalized(
        choose(fromStart, above, choose(toEnd, below, both)));
  }

  //===--- booleans -------------------------------------------------------===//
  KeyBounds conjunction(KeyBounds a, KeyBounds c) {
    return {intersect(a.may, c.may), intersect(a.must, c.must)};
  }
  KeyBounds disjunction(KeyBounds a, KeyBounds c) {
    return {hull(a.may, c.may), innerUnion(a.must, c.must)};
  }
  KeyBounds negation(KeyBounds a) {
    return {complement(a.must, /*inner=*/false),
            complement(a.may, /*inner=*/true)};
  }

  KeyBounds evaluate(Value value) {
    auto known = booleans.find(value);
    if (known != booleans.end())
      return known->second;
    KeyBounds bounds = evaluateUncached(value);
    booleans[value] = bounds;
    return bounds;
  }

  KeyBounds evaluateUncached(Value value) {
    if (Value condition = uniform(value)) {
      KeyInterval keys = choose(condition, all(), none());
      return {keys, keys};
    }
    Operation *op = value.getDefiningOp();
    if (!op)
      return unknown();
    if (auto compareOp = dyn_cast<arith::CmpIOp>(op))
      return comparison(compareOp);
    if (isa<arith::AndIOp>(op))
      return conjunction(evaluate(op->getOperand(0)),
                         evaluate(op->getOperand(1)));
    if (isa<arith::OrIOp>(op))
      return disjunction(evaluate(op->getOperand(0)),
                         evaluate(op->getOperand(1)));
    if (auto xorOp = dyn_cast<arith::XOrIOp>(op))
      if (matchPattern(xorOp.getRhs(), m_One()) && value.getType().isInteger(1))
        return negation(evaluate(xorOp.getLhs()));
    if (auto selectOp = dyn_cast<arith::SelectOp>(op))
      return selection(selectOp.getCondition(), selectOp.getTrueValue(),
                       selectOp.getFalseValue());
    if (auto ifOp = dyn_cast<scf::IfOp>(op)) {
      unsigned i = cast<OpResult>(value).getResultNumber();
      return selection(ifOp.getCondition(), ifOp.thenYield().getOperand(i),
                       ifOp.elseYield().getOperand(i));
    }
    return unknown();
  }

  KeyBounds selection(Value condition, Value ifTrue, Value ifFalse) {
    KeyBounds c = evaluate(condition);
    return disjunction(conjunction(c, evaluate(ifTrue)),
                       conjunction(negation(c), evaluate(ifFalse)));
  }

  KeyBounds comparison(arith::CmpIOp op) {
    using P = arith::CmpIPredicate;
    std::optional<Affine> lhs = affine(op.getLhs()), rhs = affine(op.getRhs());
    if (!lhs || !rhs)
      return unknown();
    P predicate = op.getPredicate();
    bool isUnsigned = predicate == P::ult || predicate == P::ule ||
                      predicate == P::ugt || predicate == P::uge;
    if (isUnsigned && (lhs->low < 0 || rhs->low < 0))
      return unknown();
    switch (predicate) {
    case P::sge: case P::uge:
      return notNegative(difference(*lhs, *rhs, 0));
    case P::sgt: case P::ugt:
      return notNegative(difference(*lhs, *rhs, -1));
    case P::sle: case P::ule:
      return notNegative(difference(*rhs, *lhs, 0));
    case P::slt: case P::ult:
      return notNegative(difference(*rhs, *lhs, -1));
    case P::eq: case P::ne: {
      KeyBounds equal = conjunction(notNegative(difference(*lhs, *rhs, 0)),
                                    notNegative(difference(*rhs, *lhs, 0)));
      return predicate == P::eq ? equal : negation(equal);
    }
    }
    llvm_unreachable("all predicates are handled");
  }

  /// lhs - rhs + extra, in 64 bits and therefore exact.
  Affine difference(const Affine &lhs, const Affine &rhs, int64_t extra) {
    Affine result;
    result.query = lhs.query - rhs.query;
    result.key = lhs.key - rhs.key;
    result.constant = lhs.constant - rhs.constant + extra;
    result.uniform = lhs.uniform;
    if (rhs.uniform) {
      Value left = lhs.uniform ? lhs.uniform : zero;
      result.uniform = arith::SubIOp::create(b, left, rhs.uniform);
    }
    return result;
  }

  /// The keys where `a` >= 0.
  KeyBounds notNegative(const Affine &a) {
    // The part without the key, at the queries where it is least and greatest.
    Value base = index(a.constant);
    if (a.uniform)
      base = arith::AddIOp::create(b, base, a.uniform);
    auto at = [&](Value q) -> Value {
      return arith::AddIOp::create(
          b, base, arith::MulIOp::create(b, q, index(a.query)));
    };
    Value least = at(a.query >= 0 ? ctx.firstQuery : ctx.lastQuery);
    Value greatest = at(a.query >= 0 ? ctx.lastQuery : ctx.firstQuery);
    switch (a.key) {
    case 0: {
      auto everywhereIf = [&](Value x) {
        return choose(compare(arith::CmpIPredicate::sge, x, zero), all(),
                      none());
      };
      return {everywhereIf(greatest), everywhereIf(least)};
    }
    case 1: { // kv >= -rest
      auto from = [&](Value x) {
        return intersect(all(), {arith::SubIOp::create(b, zero, x), lastKey});
      };
      return {from(greatest), from(least)};
    }
    case -1: { // kv <= rest
      auto upTo = [&](Value x) { return intersect(all(), {zero, x}); };
      return {upTo(greatest), upTo(least)};
    }
    default:
      return unknown();
    }
  }

  //===--- integers -------------------------------------------------------===//
  std::optional<Affine> affine(Value value) {
    APInt constant;
    if (matchPattern(value, m_ConstantInt(&constant))) {
      Affine result;
      result.constant = result.low = result.high = constant.getSExtValue();
      return result;
    }
    if (!value.getType().isInteger(32))
      return std::nullopt;
    if (value == queryArg || value == keyArg) {
      Affine result;
      (value == queryArg ? result.query : result.key) = 1;
      result.high = maxPosition;
      return result;
    }
    if (Value known = uniform(value))
      return guardedUniform(known);
    Operation *op = value.getDefiningOp();
    if (!op || !isa<arith::AddIOp, arith::SubIOp>(op))
      return std::nullopt;
    std::optional<Affine> lhs = affine(op->getOperand(0)),
                          rhs = affine(op->getOperand(1));
    if (!lhs || !rhs)
      return std::nullopt;
    return sum(*lhs, *rhs, isa<arith::AddIOp>(op) ? 1 : -1);
  }

  std::optional<Affine> sum(const Affine &lhs, const Affine &rhs, int sign) {
    Affine result;
    result.query = lhs.query + sign * rhs.query;
    result.key = lhs.key + sign * rhs.key;
    result.constant = lhs.constant + sign * rhs.constant;
    result.low = lhs.low + (sign > 0 ? rhs.low : -rhs.high);
    result.high = lhs.high + (sign > 0 ? rhs.high : -rhs.low);
    if (result.low < INT32_MIN || result.high > INT32_MAX)
      return std::nullopt;
    result.uniform = lhs.uniform;
    if (rhs.uniform) {
      Value left = lhs.uniform ? lhs.uniform : zero;
      result.uniform =
          sign > 0 ? Value(arith::AddIOp::create(b, left, rhs.uniform))
                   : Value(arith::SubIOp::create(b, left, rhs.uniform));
    }
    return result;
  }

  Affine guardedUniform(Value value) {
    Affine result;
    result.uniform =
        arith::IndexCastOp::create(b, b.getIndexType(), value);
    result.low = -maxUniform, result.high = maxUniform;
    guard(arith::CmpIPredicate::sge, result.uniform, index(-maxUniform));
    guard(arith::CmpIPredicate::sle, result.uniform, index(maxUniform));
    return result;
  }

  /// The value as the kernel can compute it once per tile; null if it depends
  /// on the query or the key.
  Value uniform(Value value) {
    auto known = uniforms.find(value);
    if (known != uniforms.end())
      return known->second;
    Value result = uniformUncached(value);
    uniforms[value] = result;
    return result;
  }

  Value uniformUncached(Value value) {
    if (value == batchArg || value == headArg)
      return arith::IndexCastOp::create(b, value.getType(),
                                        value == batchArg ? ctx.batch
                                                          : ctx.head);
    Operation *op = value.getDefiningOp();
    if (!op || op->getNumRegions() != 0 || op->getBlock() != &body)
      return Value();
    IRMapping mapping;
    for (Value operand : op->getOperands()) {
      Value mapped = uniform(operand);
      if (!mapped)
        return Value();
      mapping.map(operand, mapped);
    }
    if (auto load = dyn_cast<LoadOp>(op)) {
      SmallVector<Value> indices;
      for (Value i : load.getIndices())
        indices.push_back(mapping.lookup(i));
      return ctx.lowerLoad(b, load, indices, mapping.lookup(load.getTable()));
    }
    if (!isPure(op))
      return Value();
    Operation *copy = b.clone(*op, mapping);
    return copy->getResult(cast<OpResult>(value).getResultNumber());
  }

  //===--- emission -------------------------------------------------------===//
  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value min(Value x, Value y) { return arith::MinSIOp::create(b, x, y); }
  Value max(Value x, Value y) { return arith::MaxSIOp::create(b, x, y); }
  Value select(Value c, Value x, Value y) {
    return arith::SelectOp::create(b, c, x, y);
  }
  Value compare(arith::CmpIPredicate p, Value x, Value y) {
    return arith::CmpIOp::create(b, p, x, y);
  }
  void guard(arith::CmpIPredicate p, Value x, Value y) {
    Value holds = compare(p, x, y);
    guards = guards ? Value(arith::AndIOp::create(b, guards, holds)) : holds;
  }

  ImplicitLocOpBuilder &b;
  const KeyBoundsContext &ctx;
  Block &body;
  Value batchArg, headArg, queryArg, keyArg;
  Value zero, minusOne, lastKey;
  Value guards; ///< i1: the assumptions about magnitudes hold
  llvm::DenseMap<Value, Value> uniforms;
  llvm::DenseMap<Value, KeyBounds> booleans;
};

} // namespace

KeyBounds attn::emitKeyBounds(ImplicitLocOpBuilder &builder, Region &mask,
                              const KeyBoundsContext &context) {
  if (!mask.empty())
    return Evaluator(builder, mask, context).run();
  Value zero = arith::ConstantIndexOp::create(builder, 0);
  Value one = arith::ConstantIndexOp::create(builder, 1);
  KeyInterval all{zero, arith::SubIOp::create(builder, context.keys, one)};
  return {all, all};
}
