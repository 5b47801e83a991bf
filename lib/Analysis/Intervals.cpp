// See Intervals.h. BoxEvaluator has one rule for each operation; findParts
// (Parts.cpp) walks a program in the same order.
#include "attn/Analysis/Intervals.h"

#include "Emission.h"
#include "Parts.h"
#include "attn/Dialect/Attn/IR/Captures.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/InferIntRangeInterface.h"

using namespace mlir;
using namespace mlir::attn;

//===--- slices -----------------------------------------------------------===//

Value SliceCloner::get(Value value) {
  if (Value clone = known.lookup(value))
    return clone;
  Operation *op = value.getDefiningOp();
  assert(op && op->getNumRegions() == 0 &&
         "expects a value that can be hoisted");
  IRMapping mapping;
  for (Value operand : op->getOperands())
    mapping.map(operand, get(operand));
  Value clone;
  if (auto load = dyn_cast<LoadOp>(op)) {
    auto indices = llvm::map_to_vector(
        load.getIndices(), [&](Value index) { return mapping.lookup(index); });
    clone = lowerLoad(b, load, indices, mapping.lookup(load.getTable()));
  } else {
    unsigned i = cast<OpResult>(value).getResultNumber();
    clone = b.clone(*op, mapping)->getResult(i);
    if (Operation *made = clone.getDefiningOp()) {
      SmallVector<Value> folded;
      if (succeeded(b.tryFold(made, folded)) && !folded.empty()) {
        clone = folded[i];
        made->erase();
      }
    }
  }
  known[value] = clone;
  return clone;
}

//===--- ranges for all positions -----------------------------------------===//

/// What MLIR's inference knows of an integer without knowing any position.
static ConstantIntRanges
staticRange(Value value, ProgramDependence &positions,
            llvm::DenseMap<Value, ConstantIntRanges> &known) {
  auto found = known.find(value);
  if (found != known.end())
    return found->second;
  unsigned width = ConstantIntRanges::getStorageBitwidth(value.getType());
  ConstantIntRanges range = ConstantIntRanges::maxRange(width);
  Operation *op = value.getDefiningOp();
  if (value == positions.batch || value == positions.head ||
      value == positions.query || value == positions.key) {
    range = ConstantIntRanges::fromSigned(APInt::getZero(width),
                                          APInt::getSignedMaxValue(width));
  } else if (auto inferable = dyn_cast_or_null<InferIntRangeInterface>(op)) {
    SmallVector<ConstantIntRanges> operands;
    for (Value operand : op->getOperands())
      operands.push_back(operand.getType().isIntOrIndex()
                             ? staticRange(operand, positions, known)
                             : ConstantIntRanges::maxRange(0));
    inferable.inferResultRanges(
        operands, [&](Value result, const ConstantIntRanges &inferred) {
          if (result == value)
            range = inferred;
        });
  }
  known.insert({value, range});
  return range;
}

//===--- evaluation -------------------------------------------------------===//

class IntervalEmitter::BoxEvaluator : Emission {
public:
  BoxEvaluator(IntervalEmitter &emitter, const Box &box, PartInterval parts)
      : Emission(emitter.b), emitter(emitter), logic(emitter.logic),
        positions(*emitter.logic.dependence()), box(box), parts(parts) {}

  Truth truth(Value value) {
    auto found = truths.find(value);
    if (found != truths.end())
      return found->second;
    Truth result = truthUncached(value);
    truths[value] = result;
    return result;
  }

private:
  //===--- booleans -------------------------------------------------------===//
  Truth unknown() { return {bit(true), bit(true)}; }
  Truth opposite(Truth t) { return {t.canFail, t.canHold}; }
  Truth conjunction(Truth x, Truth y) {
    return {both(x.canHold, y.canHold), either(x.canFail, y.canFail)};
  }
  Truth disjunction(Truth x, Truth y) {
    return opposite(conjunction(opposite(x), opposite(y)));
  }

  Truth truthUncached(Value value) {
    if (positions.isUniform(value) && positions.canHoist(value)) {
      Value holds = emitter.uniform(value);
      return {holds, negation(holds)};
    }
    if (isPart(value, positions)) {
      Interval range = parts(value);
      return {less(index(0), range.high), less(range.low, index(1))};
    }
    Operation *op = value.getDefiningOp();
    if (!op || !hasRule(op))
      return unknown();
    if (auto compare = dyn_cast<arith::CmpIOp>(op))
      return comparison(compare);
    if (auto compare = dyn_cast<arith::CmpFOp>(op))
      return comparison(compare);
    if (auto load = dyn_cast<LoadOp>(op)) {
      auto [isOne, entry] = entryOf(load);
      Value isUnknown = negation(isOne);
      return {either(isUnknown, entry), either(isUnknown, negation(entry))};
    }
    SmallVector<Value> sources = sourcesOf(value);
    if (isa<arith::AndIOp>(op))
      return conjunction(truth(sources[0]), truth(sources[1]));
    if (isa<arith::OrIOp>(op))
      return disjunction(truth(sources[0]), truth(sources[1]));
    if (isa<arith::XOrIOp>(op)) {
      Truth x = truth(sources[0]), y = truth(sources[1]);
      return disjunction(conjunction(x, opposite(y)),
                         conjunction(opposite(x), y));
    }
    if (isa<arith::SelectOp, scf::IfOp>(op)) {
      Truth condition = truth(sources[0]);
      return disjunction(conjunction(condition, truth(sources[1])),
                         conjunction(opposite(condition), truth(sources[2])));
    }
    return unknown();
  }

  Truth comparison(arith::CmpIOp op) {
    if (op.getLhs().getType().isInteger(1))
      return unknown();
    using P = arith::CmpIPredicate;
    std::optional<AffineForm> l = logic.affine(op.getLhs()),
                              r = logic.affine(op.getRhs());
    Interval left = range(op.getLhs()), right = range(op.getRhs());
    // Two affine values are compared by their difference, which knows that they
    // move together.
    Value zero = index(0);
    // The difference of two others might leave 64 bits.
    Interval l0 = left, r0 = right;
    if (l && r && l->hasSmallUniforms() && r->hasSmallUniforms())
      l0 = emitter.range(l->plus(*r, -1), box), r0 = {zero, zero, {}};
    auto below = [&](int64_t slack) -> Truth { // left <= right + slack
      if (slack)
        return {less(l0.low, r0.high), atMost(r0.low, l0.high)};
      return {atMost(l0.low, r0.high), less(r0.low, l0.high)};
    };
    auto equal = [&]() -> Truth {
      return {both(atMost(l0.low, r0.high), atMost(r0.low, l0.high)),
              either(less(l0.low, r0.high), less(r0.low, l0.high))};
    };
    auto natural = [&](Truth t) -> Truth { // signed where no sign is set
      Value wrong = either(less(left.low, zero), less(right.low, zero));
      return {either(t.canHold, wrong), either(t.canFail, wrong)};
    };
    switch (op.getPredicate()) {
    case P::sle:
      return below(0);
    case P::slt:
      return below(-1);
    case P::sge:
      return opposite(below(-1));
    case P::sgt:
      return opposite(below(0));
    case P::eq:
      return equal();
    case P::ne:
      return opposite(equal());
    case P::ule:
      return natural(below(0));
    case P::ult:
      return natural(below(-1));
    case P::uge:
      return natural(opposite(below(-1)));
    case P::ugt:
      return natural(opposite(below(0)));
    }
    llvm_unreachable("all predicates are handled");
  }

  Truth comparison(arith::CmpFOp op) {
    using P = arith::CmpFPredicate;
    Interval l = range(op.getLhs()), r = range(op.getRhs());
    Value nan = either(l.mayBeNaN, r.mayBeNaN);
    auto compare = [&](P predicate, Value x, Value y) -> Value {
      return b.createOrFold<arith::CmpFOp>(predicate, x, y);
    };
    Truth lessThan{compare(P::OLT, l.low, r.high),
                   compare(P::UGE, l.high, r.low)};
    Truth atMost{compare(P::OLE, l.low, r.high),
                 compare(P::UGT, l.high, r.low)};
    Truth equal{
        both(compare(P::OLE, l.low, r.high), compare(P::OLE, r.low, l.high)),
        either(compare(P::UNE, l.low, r.high), compare(P::UNE, l.high, r.low))};
    auto ordered = [&](Truth t) -> Truth {
      return {t.canHold, either(t.canFail, nan)};
    };
    auto unordered = [&](Truth t) -> Truth {
      return {either(t.canHold, nan), t.canFail};
    };
    switch (op.getPredicate()) {
    case P::OLT:
      return ordered(lessThan);
    case P::OLE:
      return ordered(atMost);
    case P::OGT:
      return ordered(opposite(atMost));
    case P::OGE:
      return ordered(opposite(lessThan));
    case P::OEQ:
      return ordered(equal);
    case P::ONE:
      return ordered(opposite(equal));
    case P::ULT:
      return unordered(lessThan);
    case P::ULE:
      return unordered(atMost);
    case P::UGT:
      return unordered(opposite(atMost));
    case P::UGE:
      return unordered(opposite(lessThan));
    case P::UEQ:
      return unordered(equal);
    case P::UNE:
      return unordered(opposite(equal));
    case P::ORD:
      return {bit(true), nan};
    case P::UNO:
      return {nan, bit(true)};
    case P::AlwaysTrue:
      return {bit(true), bit(false)};
    case P::AlwaysFalse:
      return {bit(false), bit(true)};
    }
    llvm_unreachable("all predicates are handled");
  }

  //===--- numbers --------------------------------------------------------===//
  Interval range(Value value) {
    auto found = ranges.find(value);
    if (found != ranges.end())
      return found->second;
    Interval result = isa<FloatType>(value.getType()) ? floatRange(value)
                                                      : integerRange(value);
    ranges[value] = result;
    return result;
  }

  Interval hull(Interval x, Interval y) {
    return {min(x.low, y.low), max(x.high, y.high), {}};
  }
  Interval chosen(Truth condition, Interval x, Interval y, Interval all) {
    auto pick = [&](Value a, Value both, Value b2) {
      return select(condition.canHold, select(condition.canFail, both, a), b2);
    };
    Interval result{
        pick(x.low, all.low, y.low), pick(x.high, all.high, y.high), {}};
    if (x.mayBeNaN)
      result.mayBeNaN =
          pick(x.mayBeNaN, either(x.mayBeNaN, y.mayBeNaN), y.mayBeNaN);
    return result;
  }

  /// Whether all pairs of the box read the same entry of a table (i1), and that
  /// entry if they do.
  std::pair<Value, Value> entryOf(LoadOp op) {
    Value isOne = bit(true);
    SmallVector<Value> indices;
    for (Value index : op.getIndices()) {
      Interval at = range(index);
      isOne = both(isOne, atMost(at.high, at.low));
      indices.push_back(toI32(at.low));
    }
    return {isOne, emitter.context.lowerLoad(b, op, indices,
                                             emitter.uniform(op.getTable()))};
  }

  Interval asIndex(Value value) {
    Value number = toIndex(value);
    return {number, number, {}};
  }

  Interval integerRange(Value value) {
    std::optional<AffineForm> form = logic.affine(value);
    if (form && form->hasSmallUniforms())
      return emitter.range(*form, box);
    if (positions.isUniform(value) && positions.canHoist(value))
      return asIndex(emitter.uniform(value));
    if (isPart(value, positions))
      return parts(value);
    // Without wrapping, and exact as long as 64 bits hold the result.
    ConstantIntRanges bounds = staticRange(value, positions, staticRanges);
    Interval widest{index(bounds.smin().getSExtValue()),
                    index(bounds.smax().getSExtValue()),
                    {}};
    Operation *op = value.getDefiningOp();
    if (!op || !hasRule(op))
      return widest;
    if (auto load = dyn_cast<LoadOp>(op)) {
      auto [isOne, entry] = entryOf(load);
      Value known = toIndex(entry);
      return {select(isOne, known, widest.low),
              select(isOne, known, widest.high),
              {}};
    }
    std::optional<Interval> exact = integerRule(value, op, widest);
    if (!exact)
      return widest;
    // A result outside of the type has wrapped.
    unsigned width = bounds.smin().getBitWidth();
    Value fits = staysIn64(op, width);
    if (width < 64)
      fits = both(atMost(index(llvm::minIntN(width)), exact->low),
                  atMost(exact->high, index(llvm::maxIntN(width))));
    return {select(fits, max(exact->low, widest.low), widest.low),
            select(fits, min(exact->high, widest.high), widest.high),
            {}};
  }

  /// i1: what `op` computes from the intervals of its operands stays within 64
  /// bits.
  Value staysIn64(Operation *op, unsigned width) {
    unsigned room = 64;
    if (isa<arith::AddIOp, arith::SubIOp, math::AbsIOp>(op))
      room = 62;
    else if (isa<arith::MulIOp>(op))
      room = 31;
    else if (isa<arith::ShLIOp>(op))
      room = 62 - *constantOf(op->getOperand(1));
    Value fits = bit(true);
    if (width < 64 || room == 64)
      return fits;
    int64_t limit = int64_t(1) << room;
    for (Value operand : op->getOperands()) {
      ConstantIntRanges known = staticRange(operand, positions, staticRanges);
      if (known.smin().getSExtValue() >= -limit &&
          known.smax().getSExtValue() <= limit)
        continue;
      Interval x = range(operand);
      fits = both(fits, both(atMost(index(-limit), x.low),
                             atMost(x.high, index(limit))));
    }
    return fits;
  }

  std::optional<Interval> integerRule(Value value, Operation *op,
                                      const Interval &widest) {
    SmallVector<Value> sources = sourcesOf(value);
    if (sources.empty())
      return std::nullopt;
    if (isa<arith::SelectOp, scf::IfOp>(op)) {
      Interval x = range(sources[1]), y = range(sources[2]);
      return chosen(truth(sources[0]), x, y, hull(x, y));
    }
    if (sources[0].getType().isInteger(1)) {
      Truth t = truth(sources[0]);
      Value can = toIndexUnsigned(t.canHold),
            must = toIndexUnsigned(negation(t.canFail));
      if (isa<arith::ExtUIOp>(op))
        return Interval{must, can, {}};
      if (isa<arith::ExtSIOp>(op))
        return Interval{sub(index(0), can), sub(index(0), must), {}};
      return std::nullopt;
    }
    if (isa<FloatType>(sources[0].getType()))
      return std::nullopt;
    Interval x = range(sources[0]);
    if (isa<arith::ExtSIOp, arith::IndexCastOp, arith::TruncIOp>(op))
      return x;
    if (isa<math::AbsIOp>(op))
      return Interval{max(index(0), max(x.low, sub(index(0), x.high))),
                      max(sub(index(0), x.low), x.high),
                      {}};
    // Read without a sign, integers below zero are large.
    Value natural = atMost(index(0), x.low);
    auto ifNatural = [&](Interval inside) -> Interval {
      return {select(natural, inside.low, widest.low),
              select(natural, inside.high, widest.high),
              {}};
    };
    if (isa<arith::ExtUIOp>(op))
      return ifNatural(x);
    if (sources.size() == 2 && constantOf(sources[1]))
      if (std::optional<Interval> result =
              ruleWithConstant(op, x, *constantOf(sources[1]), ifNatural))
        return result;
    Interval y = range(sources[1]);
    if (isa<arith::AddIOp>(op))
      return Interval{add(x.low, y.low), add(x.high, y.high), {}};
    if (isa<arith::SubIOp>(op))
      return Interval{sub(x.low, y.high), sub(x.high, y.low), {}};
    if (isa<arith::MinSIOp>(op))
      return Interval{min(x.low, y.low), min(x.high, y.high), {}};
    if (isa<arith::MaxSIOp>(op))
      return Interval{max(x.low, y.low), max(x.high, y.high), {}};
    if (isa<arith::MulIOp>(op)) {
      Value products[] = {mul(x.low, y.low), mul(x.low, y.high),
                          mul(x.high, y.low), mul(x.high, y.high)};
      return Interval{
          min(min(products[0], products[1]), min(products[2], products[3])),
          max(max(products[0], products[1]), max(products[2], products[3])),
          {}};
    }
    return std::nullopt;
  }

  /// Division, remainder, shift and mask by a constant.
  std::optional<Interval>
  ruleWithConstant(Operation *op, Interval x, int64_t c,
                   llvm::function_ref<Interval(Interval)> ifNatural) {
    if (isa<arith::ShLIOp>(op))
      return Interval{mul(x.low, index(int64_t(1) << c)),
                      mul(x.high, index(int64_t(1) << c)),
                      {}};
    if (isa<arith::ShRSIOp, arith::ShRUIOp>(op)) {
      Interval shifted{b.createOrFold<arith::ShRSIOp>(x.low, index(c)),
                       b.createOrFold<arith::ShRSIOp>(x.high, index(c)),
                       {}};
      if (isa<arith::ShRSIOp>(op) || c == 0)
        return shifted;
      return ifNatural(shifted);
    }
    if (c <= 0)
      return std::nullopt;
    auto divided = [&](auto tag) -> Interval {
      using Op = decltype(tag);
      return {b.createOrFold<Op>(x.low, index(c)),
              b.createOrFold<Op>(x.high, index(c)),
              {}};
    };
    if (isa<arith::DivSIOp>(op))
      return divided(arith::DivSIOp());
    if (isa<arith::FloorDivSIOp>(op))
      return divided(arith::FloorDivSIOp());
    if (isa<arith::DivUIOp>(op))
      return ifNatural(divided(arith::DivSIOp()));
    bool isLowMask = (c & (c + 1)) == 0;
    if (isa<arith::AndIOp>(op) && !isLowMask)
      return Interval{index(0), index(c), {}};
    if (isa<arith::AndIOp, arith::RemSIOp, arith::RemUIOp>(op)) {
      int64_t divisor = isa<arith::AndIOp>(op) ? c + 1 : c;
      // Within one period the remainder grows with the value.
      Value first = b.createOrFold<arith::RemSIOp>(x.low, index(divisor));
      Value last = b.createOrFold<arith::RemSIOp>(x.high, index(divisor));
      Value onePeriod =
          both(less(sub(x.high, x.low), index(divisor)), atMost(first, last));
      Interval inside{select(onePeriod, first, index(0)),
                      select(onePeriod, last, min(x.high, index(divisor - 1))),
                      {}};
      return ifNatural(inside);
    }
    return std::nullopt;
  }

  //===--- floats ---------------------------------------------------------===//
  Value number(Type type, double value) {
    return b.createOrFold<arith::ConstantOp>(b.getFloatAttr(type, value));
  }
  Interval anyFloat(Type type) {
    double infinity = std::numeric_limits<double>::infinity();
    return {number(type, -infinity), number(type, infinity), bit(true)};
  }
  Value isNaN(Value value) {
    return b.createOrFold<arith::CmpFOp>(arith::CmpFPredicate::UNO, value,
                                         value);
  }
  Value isInfinite(Value value) {
    double infinity = std::numeric_limits<double>::infinity();
    return b.createOrFold<arith::CmpFOp>(arith::CmpFPredicate::UEQ,
                                         b.createOrFold<math::AbsFOp>(value),
                                         number(value.getType(), infinity));
  }
  Value anyInfinite(Interval x) {
    return either(isInfinite(x.low), isInfinite(x.high));
  }

  /// Bounds that are NaN bound nothing.
  Interval withoutNaNBounds(Interval x) {
    Interval any = anyFloat(x.low.getType());
    Value bad = either(isNaN(x.low), isNaN(x.high));
    return {select(bad, any.low, x.low), select(bad, any.high, x.high),
            either(bad, x.mayBeNaN)};
  }

  Interval floatRange(Value value) {
    if (positions.isUniform(value) && positions.canHoist(value)) {
      Value known = emitter.uniform(value);
      return withoutNaNBounds({known, known, bit(false)});
    }
    if (isPart(value, positions)) {
      Interval range = parts(value);
      return withoutNaNBounds({range.low, range.high, bit(false)});
    }
    Operation *op = value.getDefiningOp();
    if (op && hasRule(op))
      if (std::optional<Interval> range = floatRule(value, op))
        return withoutNaNBounds(*range);
    return anyFloat(value.getType());
  }

  template <typename Op> Interval eachBound(Interval x, Type type) {
    return {b.createOrFold<Op>(type, x.low), b.createOrFold<Op>(type, x.high),
            x.mayBeNaN ? x.mayBeNaN : bit(false)};
  }
  template <typename Op> Interval monotone(Interval x, Interval y) {
    return {b.createOrFold<Op>(x.low, y.low),
            b.createOrFold<Op>(x.high, y.high), either(x.mayBeNaN, y.mayBeNaN)};
  }
  Value minimum(Value x, Value y) {
    return b.createOrFold<arith::MinimumFOp>(x, y);
  }
  Value maximum(Value x, Value y) {
    return b.createOrFold<arith::MaximumFOp>(x, y);
  }
  template <typename Op> Interval corners(Interval x, Interval y) {
    Value v[] = {
        b.createOrFold<Op>(x.low, y.low), b.createOrFold<Op>(x.low, y.high),
        b.createOrFold<Op>(x.high, y.low), b.createOrFold<Op>(x.high, y.high)};
    return {minimum(minimum(v[0], v[1]), minimum(v[2], v[3])),
            maximum(maximum(v[0], v[1]), maximum(v[2], v[3])),
            either(x.mayBeNaN, y.mayBeNaN)};
  }
  Interval negative(Interval x) {
    return {b.createOrFold<arith::NegFOp>(x.high),
            b.createOrFold<arith::NegFOp>(x.low), x.mayBeNaN};
  }

  std::optional<Interval> floatRule(Value value, Operation *op) {
    Type type = value.getType();
    if (auto load = dyn_cast<LoadOp>(op)) {
      auto [isOne, entry] = entryOf(load);
      Interval any = anyFloat(type);
      return Interval{select(isOne, entry, any.low),
                      select(isOne, entry, any.high), negation(isOne)};
    }
    SmallVector<Value> sources = sourcesOf(value);
    if (isa<arith::SelectOp, scf::IfOp>(op)) {
      Interval x = range(sources[1]), y = range(sources[2]);
      Interval all{minimum(x.low, y.low), maximum(x.high, y.high), {}};
      return chosen(truth(sources[0]), x, y, all);
    }
    if (isa<arith::SIToFPOp, arith::UIToFPOp>(op)) {
      if (sources[0].getType().isInteger(1))
        return std::nullopt;
      Interval x = range(sources[0]);
      Value wide[] = {toI64(x.low), toI64(x.high)};
      Interval result{b.createOrFold<arith::SIToFPOp>(type, wide[0]),
                      b.createOrFold<arith::SIToFPOp>(type, wide[1]),
                      bit(false)};
      if (isa<arith::SIToFPOp>(op))
        return result;
      Value natural = atMost(index(0), x.low);
      return Interval{select(natural, result.low, number(type, 0)),
                      select(natural, result.high, number(type, 0x1p64)),
                      bit(false)};
    }
    Interval x = range(sources[0]);
    if (isa<arith::ExtFOp>(op))
      return eachBound<arith::ExtFOp>(x, type);
    if (isa<arith::TruncFOp>(op))
      return eachBound<arith::TruncFOp>(x, type);
    if (isa<math::FloorOp>(op))
      return eachBound<math::FloorOp>(x, type);
    if (isa<math::CeilOp>(op))
      return eachBound<math::CeilOp>(x, type);
    if (isa<arith::NegFOp>(op))
      return negative(x);
    if (isa<math::AbsFOp>(op)) {
      Interval opposite = negative(x);
      return Interval{maximum(number(type, 0), maximum(x.low, opposite.low)),
                      maximum(x.high, opposite.high), x.mayBeNaN};
    }
    Interval y = range(sources[1]);
    if (isa<arith::MaximumFOp>(op))
      return monotone<arith::MaximumFOp>(x, y);
    if (isa<arith::MinimumFOp>(op))
      return monotone<arith::MinimumFOp>(x, y);
    if (isa<arith::MaxNumFOp, arith::MinNumFOp>(op)) {
      // A NaN gives the other operand.
      Interval all = isa<arith::MaxNumFOp>(op)
                         ? monotone<arith::MaximumFOp>(x, y)
                         : monotone<arith::MinimumFOp>(x, y);
      Value nan = all.mayBeNaN;
      return Interval{select(nan, minimum(x.low, y.low), all.low),
                      select(nan, maximum(x.high, y.high), all.high), nan};
    }
    Value infinite = either(anyInfinite(x), anyInfinite(y));
    std::optional<Interval> result;
    if (isa<arith::AddFOp>(op))
      result = sumOf(op, x, y);
    else if (isa<arith::SubFOp>(op))
      result = sumOf(op, x, negative(y));
    else if (isa<arith::MulFOp>(op))
      result = corners<arith::MulFOp>(x, y);
    else if (isa<arith::DivFOp>(op))
      result = quotient(x, y);
    if (result) // inf - inf, 0 * inf
      result->mayBeNaN = either(result->mayBeNaN, infinite);
    return result;
  }

  /// Wider by the rounding of a product that a target may fuse into the sum.
  Interval sumOf(Operation *op, Interval x, Interval y) {
    Interval sum = monotone<arith::AddFOp>(x, y);
    Type type = sum.low.getType();
    for (auto [operand, bounds] :
         {std::pair(op->getOperand(0), x), std::pair(op->getOperand(1), y)}) {
      if (!operand.getDefiningOp<arith::MulFOp>())
        continue;
      Value size = maximum(b.createOrFold<math::AbsFOp>(bounds.low),
                           b.createOrFold<math::AbsFOp>(bounds.high));
      Value slack = b.createOrFold<arith::MulFOp>(
          size, number(type, type.isF32()   ? 0x1p-22
                             : type.isF64() ? 0x1p-50
                                            : 0x1p-6));
      sum.low = b.createOrFold<arith::SubFOp>(sum.low, slack);
      sum.high = b.createOrFold<arith::AddFOp>(sum.high, slack);
    }
    return sum;
  }

  /// Bounded where the divisor keeps away from zero; targets may round it
  /// differently by a few units in the last place.
  Interval quotient(Interval x, Interval y) {
    Type type = x.low.getType();
    Interval any = anyFloat(type), result = corners<arith::DivFOp>(x, y);
    Value zero = number(type, 0);
    Value away = either(
        b.createOrFold<arith::CmpFOp>(arith::CmpFPredicate::OGT, y.low, zero),
        b.createOrFold<arith::CmpFOp>(arith::CmpFPredicate::OLT, y.high, zero));
    Value slack = b.createOrFold<arith::MulFOp>(
        maximum(b.createOrFold<math::AbsFOp>(result.low),
                b.createOrFold<math::AbsFOp>(result.high)),
        number(type, type.isF32()   ? 0x1p-20
                     : type.isF64() ? 0x1p-48
                                    : 0x1p-6));
    return {
        select(away, b.createOrFold<arith::SubFOp>(result.low, slack), any.low),
        select(away, b.createOrFold<arith::AddFOp>(result.high, slack),
               any.high),
        either(negation(away), result.mayBeNaN)};
  }

  IntervalEmitter &emitter;
  MaskLogic &logic;
  ProgramDependence &positions;
  const Box &box;
  PartInterval parts;
  llvm::DenseMap<Value, Truth> truths;
  llvm::DenseMap<Value, Interval> ranges;
  llvm::DenseMap<Value, ConstantIntRanges> staticRanges;
};

//===--- the emitter ------------------------------------------------------===//

IntervalEmitter::IntervalEmitter(ImplicitLocOpBuilder &builder,
                                 MaskLogic &logic, const MaskContext &context)
    : b(builder), logic(logic), context(context),
      uniforms(builder, context.lowerLoad) {
  ProgramDependence *positions = logic.dependence();
  if (!positions)
    return;
  Emission e(b);
  uniforms.map(positions->batch, e.toI32(context.batch));
  uniforms.map(positions->head, e.toI32(context.head));
  auto *block = cast<BlockArgument>(positions->batch).getOwner();
  for (auto [argument, value] :
       llvm::zip(block->getArguments(), context.captures))
    uniforms.map(argument, value);
}

Value IntervalEmitter::uniformPart(const AffineForm &form) {
  Emission e(b);
  Value sum = e.index(form.constant);
  for (auto [value, coefficient] : form.uniforms)
    sum = e.add(sum, e.mul(e.toIndex(uniform(value)), e.index(coefficient)));
  return sum;
}

Interval IntervalEmitter::range(const AffineForm &form, const Box &box) {
  Emission e(b);
  Value low = uniformPart(form), high = low;
  auto addTerm = [&](int64_t coefficient, Value first, Value last) {
    if (coefficient == 0)
      return;
    if (coefficient < 0)
      std::swap(first, last);
    low = e.add(low, e.mul(first, e.index(coefficient)));
    high = e.add(high, e.mul(last, e.index(coefficient)));
  };
  addTerm(form.query, box.firstQuery, box.lastQuery);
  addTerm(form.key, box.firstKey, box.lastKey);
  return {low, high, {}};
}

Value IntervalEmitter::guardsHold() {
  Emission e(b);
  Value holds = e.bit(true), zero = e.index(0), one = e.index(1);
  Box all{zero, e.sub(context.queries, one), zero, e.sub(context.keys, one)};
  for (auto &[form, width] : logic.guards) {
    int64_t limit = int64_t(1) << (width - 1);
    Interval bounds = range(form, all);
    holds = e.both(holds, e.both(e.atMost(e.index(-limit), bounds.low),
                                 e.less(bounds.high, e.index(limit))));
  }
  return holds;
}

Truth IntervalEmitter::truth(const Literal &literal, const Box &box,
                             PartInterval parts) {
  Emission e(b);
  if (literal.value) {
    Truth truth = BoxEvaluator(*this, box, parts).truth(literal.value);
    return literal.negated ? Truth{truth.canFail, truth.canHold} : truth;
  }
  Interval bounds = range(literal.form, box);
  return {e.atMost(e.index(0), bounds.high), e.less(bounds.low, e.index(0))};
}
