// See MaskLogic.h. The reader follows the program from its result backwards;
// both polarities are read directly, so that nothing is ever complemented.
#include "attn/Analysis/MaskLogic.h"

#include "Parts.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::attn;

/// More conjunctions than this are given up for one opaque literal: each costs
/// a few operations per tile.
static constexpr size_t maxConjunctions = 32;
/// The same for the cases of an integer.
static constexpr size_t maxCases = 8;
/// With more than these, the sum of a form might overflow 64 bits.
static constexpr int64_t maxCoefficient = int64_t(1) << 28;
static constexpr int64_t maxConstant = int64_t(1) << 31;
static constexpr size_t maxUniforms = 8;

//===--- affine forms -----------------------------------------------------===//

bool AffineForm::isParallel(const AffineForm &other) const {
  return query == other.query && key == other.key && uniforms == other.uniforms;
}

bool AffineForm::operator==(const AffineForm &other) const {
  return isParallel(other) && constant == other.constant;
}

/// Whether an integer may not fit 32 bits.
static bool isWide(Value uniform) {
  auto bits = [](Value value) -> unsigned {
    Type type = value.getType();
    return type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
  };
  Operation *op = uniform.getDefiningOp();
  if (isa_and_nonnull<arith::ExtSIOp>(op))
    return bits(op->getOperand(0)) > 32;
  if (isa_and_nonnull<arith::ExtUIOp>(op))
    return bits(op->getOperand(0)) >= 32;
  return bits(uniform) > 32;
}

bool AffineForm::hasSmallUniforms() const {
  return llvm::none_of(uniforms, [](auto &term) { return isWide(term.first); });
}

AffineForm AffineForm::plus(const AffineForm &other, int64_t factor) const {
  AffineForm sum = *this;
  sum.query += factor * other.query;
  sum.key += factor * other.key;
  sum.constant += factor * other.constant;
  for (auto [value, coefficient] : other.uniforms) {
    auto *found = llvm::find_if(
        sum.uniforms, [v = value](auto &term) { return term.first == v; });
    if (found == sum.uniforms.end())
      sum.uniforms.push_back({value, factor * coefficient});
    else if ((found->second += factor * coefficient) == 0)
      sum.uniforms.erase(found);
  }
  llvm::sort(sum.uniforms, [](auto &a, auto &b) {
    return a.first.getAsOpaquePointer() < b.first.getAsOpaquePointer();
  });
  return sum;
}

static bool isSmall(const AffineForm &form) {
  auto small = [](int64_t x) {
    return -maxCoefficient <= x && x <= maxCoefficient;
  };
  return small(form.query) && small(form.key) &&
         std::abs(form.constant) <= maxConstant &&
         form.uniforms.size() <= maxUniforms &&
         llvm::all_of(form.uniforms,
                      [&](auto &term) { return small(term.second); });
}

bool Literal::isZone() const {
  if (value)
    return false;
  auto unit = [](int64_t x) { return -1 <= x && x <= 1; };
  return unit(form.query) && unit(form.key) && form.query * form.key != 1;
}

bool mlir::attn::startsAtFirst(const Conjunction &all, Axis axis) {
  return llvm::none_of(all, [&](auto &l) { return l.form.along(axis) > 0; });
}
bool mlir::attn::endsAtLast(const Conjunction &all, Axis axis) {
  return llvm::none_of(all, [&](auto &l) { return l.form.along(axis) < 0; });
}

//===--- conjunctions -----------------------------------------------------===//

/// form >= 0, divided by what its coefficients have in common.
static Literal inequality(AffineForm form) {
  int64_t divisor = std::gcd(form.query, form.key);
  for (auto &term : form.uniforms)
    divisor = std::gcd(divisor, term.second);
  if (divisor > 1) {
    form.query /= divisor, form.key /= divisor;
    for (auto &term : form.uniforms)
      term.second /= divisor;
    form.constant = llvm::divideFloorSigned(form.constant, divisor);
  }
  return {form, Value(), false};
}

/// Whether form >= 0 for all positions.
static bool isAlways(const AffineForm &form) {
  return form.uniforms.empty() && form.query >= 0 && form.key >= 0 &&
         form.constant >= 0;
}
/// Whether form < 0 for all positions.
static bool isNever(const AffineForm &form) {
  return form.uniforms.empty() && form.query <= 0 && form.key <= 0 &&
         form.constant < 0;
}

/// Adds a literal; false if nothing fulfils both any more.
static bool addLiteral(Conjunction &all, const Literal &added) {
  if (added.value) {
    for (const Literal &literal : all)
      if (literal.value == added.value)
        return literal.negated == added.negated;
    all.push_back(added);
    return true;
  }
  if (isAlways(added.form))
    return true;
  if (isNever(added.form))
    return false;
  for (Literal &literal : all) {
    if (literal.value)
      continue;
    if (literal.form.isParallel(added.form)) {
      literal.form.constant =
          std::min(literal.form.constant, added.form.constant);
      return true;
    }
    AffineForm sum = literal.form.plus(added.form, 1);
    if (sum.isParallel({}) && sum.constant < 0)
      return false;
  }
  all.push_back(added);
  return true;
}

static bool implies(const Literal &a, const Literal &b) {
  if (a.value || b.value)
    return a.value == b.value && a.negated == b.negated;
  return a.form.isParallel(b.form) && a.form.constant <= b.form.constant;
}
static bool implies(const Conjunction &a, const Conjunction &b) {
  return llvm::all_of(b, [&](const Literal &wanted) {
    return llvm::any_of(
        a, [&](const Literal &has) { return implies(has, wanted); });
  });
}

using MaybeDisjunction = std::optional<Disjunction>;

static const Disjunction always{Conjunction{}};

static MaybeDisjunction unite(const MaybeDisjunction &a,
                              const MaybeDisjunction &b) {
  if (!a || !b)
    return std::nullopt;
  Disjunction all = *a;
  for (const Conjunction &added : *b) {
    if (llvm::any_of(all, [&](auto &has) { return implies(added, has); }))
      continue;
    llvm::erase_if(all, [&](auto &has) { return implies(has, added); });
    all.push_back(added);
  }
  if (all.size() > maxConjunctions)
    return std::nullopt;
  return all;
}

static MaybeDisjunction intersect(const MaybeDisjunction &a,
                                  const MaybeDisjunction &b) {
  if (!a || !b)
    return std::nullopt;
  MaybeDisjunction all = Disjunction{};
  for (const Conjunction &x : *a)
    for (const Conjunction &y : *b) {
      Conjunction both = x;
      if (!llvm::all_of(y, [&](auto &l) { return addLiteral(both, l); }))
        continue;
      all = unite(all, Disjunction{both});
      if (!all)
        return std::nullopt;
    }
  return all;
}

/// Whether one of the two holds for any pair.
static bool coverAll(const Literal &a, const Literal &b) {
  if (a.value || b.value)
    return a.value == b.value && a.negated != b.negated;
  AffineForm sum = a.form.plus(b.form, 1);
  return sum.isParallel({}) && sum.constant >= -1;
}

/// `a` with its literal number `i` weakened as far as `b` covers what that
/// adds: where the literal fails, `b` holds if the rest of `a` does. Nothing if
/// it cannot be weakened.
static std::optional<Conjunction> weakened(const Conjunction &a, size_t i,
                                           const Conjunction &b) {
  Conjunction wider = a;
  wider.erase(wider.begin() + i);
  const Literal *limit = nullptr;
  for (const Literal &wanted : b) {
    if (coverAll(wanted, a[i]) ||
        llvm::any_of(wider, [&](auto &has) { return implies(has, wanted); }))
      continue;
    if (limit || wanted.value || a[i].value ||
        !wanted.form.isParallel(a[i].form) ||
        wanted.form.constant <= a[i].form.constant)
      return std::nullopt;
    limit = &wanted;
  }
  if (limit)
    wider.insert(wider.begin() + i, *limit);
  return wider;
}

/// Joins conjunctions that lie side by side: a or (not a and b) is a or b.
static Disjunction joined(Disjunction all) {
  for (size_t i = 0; i < all.size(); ++i)
    for (size_t j = 0; j < all.size(); ++j) {
      if (i == j)
        continue;
      for (size_t k = 0; k < all[i].size(); ++k)
        if (std::optional<Conjunction> wider = weakened(all[i], k, all[j])) {
          all.erase(all.begin() + i);
          return joined(*unite(all, Disjunction{*wider}));
        }
    }
  return all;
}

//===--- reading ----------------------------------------------------------===//

namespace {
/// An integer that is `form` where `condition` holds.
struct Case {
  Disjunction condition;
  AffineForm form;
};
using Cases = SmallVector<Case, 2>;
} // namespace

class MaskLogic::Reader {
public:
  explicit Reader(MaskLogic &logic) : logic(logic) {}

  Disjunction read(Value value, bool negated) {
    auto found = known.find({value, negated});
    if (found != known.end())
      return found->second;
    MaybeDisjunction all = readUncached(value, negated);
    Disjunction result =
        all ? joined(*all) : Disjunction{{Literal{{}, value, negated}}};
    known[{value, negated}] = result;
    return result;
  }

private:
  MaybeDisjunction readUncached(Value value, bool negated) {
    if (matchPattern(value, m_Zero()))
      return negated ? always : Disjunction{};
    if (matchPattern(value, m_One()))
      return negated ? Disjunction{} : always;
    Operation *op = value.getDefiningOp();
    if (!op)
      return std::nullopt;
    if (auto compare = dyn_cast<arith::CmpIOp>(op))
      return readComparison(compare, negated);
    if (isa<arith::AndIOp, arith::OrIOp>(op)) {
      Disjunction a = read(op->getOperand(0), negated),
                  b = read(op->getOperand(1), negated);
      return isa<arith::AndIOp>(op) != negated ? intersect(a, b) : unite(a, b);
    }
    if (isa<arith::XOrIOp>(op)) // Where exactly one holds.
      return choose(op->getOperand(0), op->getOperand(1), !negated,
                    op->getOperand(1), negated);
    if (auto select = dyn_cast<arith::SelectOp>(op))
      return choose(select.getCondition(), select.getTrueValue(), negated,
                    select.getFalseValue(), negated);
    if (auto branch = dyn_cast<scf::IfOp>(op)) {
      unsigned i = cast<OpResult>(value).getResultNumber();
      return choose(branch.getCondition(), branch.thenYield().getOperand(i),
                    negated, branch.elseYield().getOperand(i), negated);
    }
    return std::nullopt;
  }

  MaybeDisjunction choose(Value condition, Value a, bool negateA, Value b,
                          bool negateB) {
    return unite(intersect(read(condition, false), read(a, negateA)),
                 intersect(read(condition, true), read(b, negateB)));
  }

  //===--- comparisons ----------------------------------------------------===//
  MaybeDisjunction readComparison(arith::CmpIOp op, bool negated) {
    arith::CmpIPredicate predicate =
        negated ? arith::invertPredicate(op.getPredicate()) : op.getPredicate();
    if (op.getLhs().getType().isInteger(1))
      return std::nullopt;
    std::optional<Cases> left = cases(op.getLhs()), right = cases(op.getRhs());
    if (!left || !right)
      return std::nullopt;
    MaybeDisjunction all = Disjunction{};
    for (const Case &l : *left)
      for (const Case &r : *right) {
        MaybeDisjunction holds = compare(predicate, l.form, r.form);
        holds = intersect(intersect(l.condition, r.condition), holds);
        all = unite(all, holds);
      }
    return all;
  }

  static Disjunction atLeastZero(const AffineForm &form) {
    Conjunction all;
    if (!addLiteral(all, inequality(form)))
      return {};
    return {all};
  }
  static Disjunction lessEqual(const AffineForm &a, const AffineForm &b,
                               int64_t slack = 0) {
    AffineForm difference = b.plus(a, -1);
    difference.constant += slack;
    return atLeastZero(difference);
  }

  static MaybeDisjunction compare(arith::CmpIPredicate predicate,
                                  const AffineForm &l, const AffineForm &r) {
    using P = arith::CmpIPredicate;
    switch (predicate) {
    case P::sle:
      return lessEqual(l, r);
    case P::slt:
      return lessEqual(l, r, -1);
    case P::sge:
      return lessEqual(r, l);
    case P::sgt:
      return lessEqual(r, l, -1);
    case P::eq:
      return intersect(lessEqual(l, r), lessEqual(r, l));
    case P::ne:
      return unite(lessEqual(l, r, -1), lessEqual(r, l, -1));
    case P::ule:
      return unsignedLess(l, r, 0);
    case P::ult:
      return unsignedLess(l, r, -1);
    case P::uge:
      return unsignedLess(r, l, 0);
    case P::ugt:
      return unsignedLess(r, l, -1);
    }
    llvm_unreachable("all predicates are handled");
  }

  /// Of two numbers one of which is known not to be negative, a negative one is
  /// the larger.
  static MaybeDisjunction unsignedLess(const AffineForm &a, const AffineForm &b,
                                       int64_t slack) {
    AffineForm zero, minusOne;
    minusOne.constant = -1;
    if (isAlways(b))
      return intersect(lessEqual(zero, a), lessEqual(a, b, slack));
    if (isAlways(a))
      return unite(lessEqual(b, minusOne), lessEqual(a, b, slack));
    return std::nullopt;
  }

  //===--- integers -------------------------------------------------------===//
  std::optional<Cases> cases(Value value) {
    if (std::optional<AffineForm> form = logic.affine(value))
      return Cases{{always, *form}};
    Operation *op = value.getDefiningOp();
    // Each level may square the number of cases.
    if (!op || logic.positions->isUniform(value))
      return std::nullopt;
    if (isa<arith::MinSIOp, arith::MaxSIOp>(op)) {
      std::optional<Cases> a = cases(op->getOperand(0)),
                           b = cases(op->getOperand(1));
      return combine(a, b, [&](const Case &x, const Case &y, Cases &all) {
        bool isMin = isa<arith::MinSIOp>(op);
        const AffineForm &low = isMin ? x.form : y.form;
        const AffineForm &high = isMin ? y.form : x.form;
        return add(all, x, y, lessEqual(low, high), x.form) &&
               add(all, x, y, lessEqual(high, low, -1), y.form);
      });
    }
    if (isa<arith::AddIOp, arith::SubIOp>(op) &&
        value.getType().isInteger(32)) {
      std::optional<Cases> a = cases(op->getOperand(0)),
                           b = cases(op->getOperand(1));
      return combine(a, b, [&](const Case &x, const Case &y, Cases &all) {
        AffineForm sum = x.form.plus(y.form, isa<arith::AddIOp>(op) ? 1 : -1);
        logic.guards.push_back({sum, 32});
        return add(all, x, y, always, sum);
      });
    }
    if (isa<math::AbsIOp>(op) && value.getType().isInteger(32)) {
      std::optional<Cases> a = cases(op->getOperand(0));
      return combine(a, Cases{{always, {}}},
                     [&](const Case &x, const Case &y, Cases &all) {
                       AffineForm opposite = AffineForm().plus(x.form, -1);
                       logic.guards.push_back({opposite, 32});
                       return add(all, x, y, lessEqual({}, x.form), x.form) &&
                              add(all, x, y, lessEqual(x.form, {}, -1),
                                  opposite);
                     });
    }
    Value condition, a, b;
    if (auto select = dyn_cast<arith::SelectOp>(op)) {
      condition = select.getCondition();
      a = select.getTrueValue(), b = select.getFalseValue();
    } else if (auto branch = dyn_cast<scf::IfOp>(op)) {
      unsigned i = cast<OpResult>(value).getResultNumber();
      condition = branch.getCondition();
      a = branch.thenYield().getOperand(i);
      b = branch.elseYield().getOperand(i);
    } else {
      return std::nullopt;
    }
    Cases all;
    for (bool negated : {false, true}) {
      std::optional<Cases> chosen = cases(negated ? b : a);
      if (!chosen)
        return std::nullopt;
      Case when{read(condition, negated), {}};
      for (const Case &c : *chosen)
        if (!add(all, c, when, always, c.form))
          return std::nullopt;
    }
    return all;
  }

  /// False if there are too many.
  static bool add(Cases &all, const Case &x, const Case &y,
                  const Disjunction &condition, const AffineForm &form) {
    MaybeDisjunction holds =
        intersect(intersect(x.condition, y.condition), condition);
    if (!holds)
      return false;
    if (!holds->empty())
      all.push_back({*holds, form});
    return all.size() <= maxCases;
  }

  static std::optional<Cases>
  combine(const std::optional<Cases> &a, const std::optional<Cases> &b,
          llvm::function_ref<bool(const Case &, const Case &, Cases &)> each) {
    if (!a || !b)
      return std::nullopt;
    Cases all;
    for (const Case &x : *a)
      for (const Case &y : *b)
        if (!each(x, y, all))
          return std::nullopt;
    return all;
  }

  MaskLogic &logic;
  llvm::DenseMap<std::pair<Value, unsigned>, Disjunction> known;
};

/// A form that i32 cannot wrap for any two positions and any problem.
static bool cannotWrap(const AffineForm &form) {
  return form.uniforms.empty() && form.constant == 0 &&
         std::abs(form.query) <= 1 && std::abs(form.key) <= 1 &&
         form.query * form.key != 1;
}

std::optional<AffineForm> MaskLogic::affine(Value value) {
  auto found = affineForms.find(value);
  if (found != affineForms.end())
    return found->second;
  auto compute = [&]() -> std::optional<AffineForm> {
    Type type = value.getType();
    if (!type.isInteger(32) && !type.isInteger(64) && !type.isIndex())
      return std::nullopt;
    AffineForm form;
    APInt constant;
    if (matchPattern(value, m_ConstantInt(&constant))) {
      form.constant = constant.getSExtValue();
      return isSmall(form) ? std::optional(form) : std::nullopt;
    }
    if (value == positions->query || value == positions->key) {
      (value == positions->query ? form.query : form.key) = 1;
      return form;
    }
    if (positions->isUniform(value)) {
      if (!positions->canHoist(value))
        return std::nullopt;
      Operation *op = value.getDefiningOp();
      if (isa_and_nonnull<arith::ExtSIOp, arith::IndexCastOp>(op) &&
          !isWide(op->getOperand(0)) && isWide(value))
        return affine(op->getOperand(0));
      form.uniforms.push_back({value, 1});
      return form;
    }
    Operation *op = value.getDefiningOp();
    if (!op)
      return std::nullopt;
    if (isa<arith::ExtSIOp, arith::IndexCastOp, arith::TruncIOp>(op)) {
      std::optional<AffineForm> from = affine(op->getOperand(0));
      // Narrower integers than 32 bits are no forms.
      if (from && type.isInteger(32) && !cannotWrap(*from)) {
        guards.push_back({*from, 32});
        guardUniforms(*from);
      }
      return from;
    }
    if (!isa<arith::AddIOp, arith::SubIOp, arith::MulIOp>(op))
      return std::nullopt;
    std::optional<AffineForm> l = affine(op->getOperand(0)),
                              r = affine(op->getOperand(1));
    if (!l || !r)
      return std::nullopt;
    if (isa<arith::MulIOp>(op)) {
      if (!r->isParallel({}))
        std::swap(l, r);
      if (!r->isParallel({}) || std::abs(r->constant) > (1 << 20))
        return std::nullopt;
      form = AffineForm().plus(*l, r->constant);
    } else {
      form = l->plus(*r, isa<arith::AddIOp>(op) ? 1 : -1);
    }
    if (!isSmall(form))
      return std::nullopt;
    if (type.isInteger(32) && !cannotWrap(form))
      guards.push_back({form, 32});
    return form;
  };
  std::optional<AffineForm> form = compute();
  affineForms[value] = form;
  return form;
}

//===--- what follows from the logic --------------------------------------===//

bool MaskLogic::hasOneRun(Axis axis) const {
  auto starts = [&](auto &all) { return startsAtFirst(all, axis); };
  auto ends = [&](auto &all) { return endsAtLast(all, axis); };
  return isExact &&
         (kept.size() <= 1 || llvm::all_of(kept, starts) ||
          llvm::all_of(kept, ends)) &&
         llvm::all_of(dropped,
                      [&](auto &all) { return starts(all) || ends(all); });
}

MaskLogic::MaskLogic(Region &mask) {
  if (mask.empty()) {
    kept = always;
    return;
  }
  positions = std::make_unique<ProgramDependence>(mask);
  result = mask.front().getTerminator()->getOperand(0);
  Reader reader(*this);
  kept = reader.read(result, false);
  dropped = reader.read(result, true);

  SmallVector<Value> opaque;
  for (const Disjunction &side : {kept, dropped})
    for (const Conjunction &all : side)
      for (const Literal &literal : all) {
        if (literal.value ? positions->isUniform(literal.value) &&
                                positions->canHoist(literal.value)
                          : literal.isZone())
          continue;
        isExact = false;
        if (literal.value)
          opaque.push_back(literal.value);
      }
  for (const Disjunction &side : {kept, dropped})
    for (const Conjunction &all : side)
      for (const Literal &literal : all)
        guardUniforms(literal.form);
  // A value may have been read more than once.
  SmallVector<std::pair<AffineForm, unsigned>> distinct;
  for (auto &guard : guards)
    if (!llvm::is_contained(distinct, guard))
      distinct.push_back(guard);
  guards = distinct;
  findParts(*this, opaque);
}

/// What has more bits might be too large to calculate with.
void MaskLogic::guardUniforms(const AffineForm &form) {
  for (auto [value, coefficient] : form.uniforms) {
    if (!isWide(value))
      continue;
    AffineForm alone;
    alone.uniforms.push_back({value, 1});
    guards.push_back({alone, 32});
  }
}

bool MaskLogic::readsBatch() const {
  return result && positions->of(result) & BatchPosition;
}
bool MaskLogic::readsHead() const {
  return result && positions->of(result) & HeadPosition;
}

//===--- printing ---------------------------------------------------------===//

/// A name for a value that a user finds in the program.
static void printValue(Value value, llvm::raw_ostream &os) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto mod = dyn_cast<ModOp>(argument.getOwner()->getParentOp());
    unsigned i = argument.getArgNumber();
    if (mod && i < mod.getNumCaptures()) {
      os << cast<StringAttr>(mod.getCaptureNames()[i]).getValue();
      return;
    }
    static const char *const names[] = {"b", "h", "q", "kv"};
    unsigned first = argument.getOwner()->getNumArguments() - 4;
    os << (i >= first ? names[i - first] : "?");
    return;
  }
  Operation *op = value.getDefiningOp();
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    if (auto number = dyn_cast<IntegerAttr>(constant.getValue()))
      number.getValue().print(os, /*isSigned=*/!value.getType().isInteger(1));
    else
      os << cast<FloatAttr>(constant.getValue()).getValueAsDouble();
    return;
  }
  if (auto load = dyn_cast<LoadOp>(op)) {
    printValue(load.getTable(), os);
    os << '[';
    llvm::interleaveComma(load.getIndices(), os,
                          [&](Value index) { printValue(index, os); });
    os << ']';
    return;
  }
  if (auto compare = dyn_cast<arith::CmpIOp>(op))
    os << arith::stringifyCmpIPredicate(compare.getPredicate());
  else if (auto compare = dyn_cast<arith::CmpFOp>(op))
    os << arith::stringifyCmpFPredicate(compare.getPredicate());
  else
    os << op->getName().stripDialect();
  os << '(';
  llvm::interleaveComma(op->getOperands(), os,
                        [&](Value operand) { printValue(operand, os); });
  os << ')';
}

/// One side of an inequality: the terms whose coefficients have this sign, and
/// `constant`.
static void printSum(const AffineForm &form, int sign, int64_t constant,
                     llvm::raw_ostream &os) {
  bool first = true;
  auto term = [&](int64_t coefficient, llvm::function_ref<void()> name) {
    coefficient *= sign;
    if (coefficient <= 0)
      return;
    os << (first ? "" : " + ");
    if (coefficient != 1)
      os << coefficient << "*";
    name();
    first = false;
  };
  term(form.query, [&] { os << "q"; });
  term(form.key, [&] { os << "kv"; });
  for (auto &uniform : form.uniforms)
    term(uniform.second, [&, v = uniform.first] { printValue(v, os); });
  if (first)
    os << constant;
  else if (constant)
    os << (constant < 0 ? " - " : " + ") << std::abs(constant);
}

/// form >= 0, without a minus sign before a position.
static void printInequality(const AffineForm &form, llvm::raw_ostream &os) {
  if (form.query <= 0 && form.key <= 0) {
    printSum(form, -1, 0, os);
    os << " <= ";
    printSum(form, 1, form.constant, os);
    return;
  }
  printSum(form, 1, 0, os);
  os << " >= ";
  printSum(form, -1, -form.constant, os);
}

static void printSide(const char *name, const Disjunction &side,
                      llvm::raw_ostream &os) {
  os << "  " << name << ":";
  if (side.empty())
    os << " nothing";
  for (const Conjunction &all : side) {
    os << (&all == side.begin() ? " " : "\n      or: ");
    if (all.empty())
      os << "everything";
    llvm::interleave(
        all, os,
        [&](const Literal &literal) {
          if (literal.value) {
            os << (literal.negated ? "not " : "");
            printValue(literal.value, os);
          } else {
            printInequality(literal.form, os);
          }
        },
        " and ");
  }
  os << "\n";
}

void MaskLogic::print(llvm::raw_ostream &os) const {
  printSide("keeps", kept, os);
  printSide("drops", dropped, os);
  for (auto &[form, width] : guards) {
    os << "  as long as ";
    printSum(form, 1, form.constant, os);
    AffineForm opposite = AffineForm().plus(form, -1);
    if (opposite.query > 0 || opposite.key > 0 ||
        llvm::any_of(opposite.uniforms, [](auto &u) { return u.second > 0; })) {
      os << " - (";
      printSum(form, -1, 0, os);
      os << ")";
    }
    os << " fits i" << width << "\n";
  }
  for (Value part : parts) {
    os << "  table per tile of "
       << (positions->isRow(part) ? "queries" : "keys") << ": ";
    printValue(part, os);
    os << "\n";
  }
  os << "  tiles: " << (hasOneRun(Axis::Key) ? "bounds" : "lists")
     << (isExact ? "" : ", evaluated where the logic does not decide") << "\n";
}
