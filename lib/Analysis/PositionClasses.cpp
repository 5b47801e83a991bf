// See PositionClasses.h. A walk from the opaque literals of what the mask keeps
// down to what depends on one position alone.
#include "attn/Analysis/PositionClasses.h"

#include "Emission.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::attn;

/// What `value` is computed from, one step back.
static SmallVector<Value> sourcesOf(Value value) {
  Operation *op = value.getDefiningOp();
  auto branch = dyn_cast<scf::IfOp>(op);
  if (!branch)
    return llvm::to_vector(op->getOperands());
  unsigned i = cast<OpResult>(value).getResultNumber();
  return {branch.getCondition(), branch.thenYield().getOperand(i),
          branch.elseYield().getOperand(i)};
}

/// Whether it is the same for all pairs of one distance.
static bool isOfDistance(const AffineForm &form) {
  return form.query + form.key == 0;
}

PositionClasses::PositionClasses(MaskLogic &logic) : logic(logic) {
  for (const Conjunction &all : logic.kept)
    for (const Literal &literal : all)
      if (literal.value)
        beyondClasses(literal.value);
}

unsigned PositionClasses::beyondClasses(Value value) {
  auto found = known.find(value);
  if (found != known.end())
    return found->second;
  ProgramDependence &positions = *logic.dependence();
  if (positions.isUniform(value))
    return known[value] = NoPosition;
  unsigned beyond = NoPosition;
  bool isRow = positions.isRow(value), isColumn = positions.isColumn(value);
  if (std::optional<AffineForm> form = logic.affine(value)) {
    readsDistance |= isOfDistance(*form);
    beyond = positions.of(value) & (QueryPosition | KeyPosition);
  } else if ((isRow || isColumn) && positions.canHoist(value)) {
    (isRow ? ofQuery : ofKey).push_back(value);
  } else {
    for (Value source : sourcesOf(value))
      beyond |= beyondClasses(source);
  }
  return known[value] = beyond;
}

/// Emits the difference of values, once each.
class PositionClasses::Emitter : Emission {
public:
  Emitter(ImplicitLocOpBuilder &builder, PositionClasses &classes,
          IntervalEmitter &emitter, const Box &box,
          IntervalEmitter::PartInterval parts)
      : Emission(builder), classes(classes), emitter(emitter), box(box),
        parts(parts) {}

  Difference of(const Literal &literal) {
    return whereMixed(literal, literal.value ? ofSources(literal.value)
                                             : ofForm(literal.form));
  }

  Difference either(Difference x, Difference y) {
    return {Emission::either(x.queries, y.queries),
            Emission::either(x.keys, y.keys),
            Emission::either(x.distances, y.distances)};
  }

private:
  Difference of(Value value) {
    auto found = known.find(value);
    if (found != known.end())
      return found->second;
    Difference difference = ofSources(value);
    if (value.getType().isInteger(1))
      difference = whereMixed({{}, value, false}, difference);
    return known[value] = difference;
  }

  Difference ofForm(const AffineForm &form) {
    return {bit(form.query), bit(form.key), bit(!isOfDistance(form))};
  }

  Difference ofSources(Value value) {
    MaskLogic &logic = classes.logic;
    if (!classes.beyondClasses(value)) {
      bool isUniform = logic.dependence()->isUniform(value);
      return {bit(false), bit(false), bit(!isUniform && classes.readsDistance)};
    }
    if (std::optional<AffineForm> form = logic.affine(value))
      return ofForm(*form);
    Difference all{bit(false), bit(false), bit(false)};
    for (Value source : sourcesOf(value))
      all = either(all, of(source));
    return all;
  }

  /// Nothing differs where the literal holds for all pairs, or for none.
  Difference whereMixed(const Literal &literal, Difference all) {
    if (llvm::all_of(ArrayRef{all.queries, all.keys, all.distances},
                     [](Value bit) { return matchPattern(bit, m_Zero()); }))
      return all;
    Truth truth = emitter.truth(literal, box, parts);
    Value mixed = both(truth.canHold, truth.canFail);
    return {both(all.queries, mixed), both(all.keys, mixed),
            both(all.distances, mixed)};
  }

  PositionClasses &classes;
  IntervalEmitter &emitter;
  const Box &box;
  IntervalEmitter::PartInterval parts;
  llvm::DenseMap<Value, Difference> known;
};

PositionClasses::Difference
PositionClasses::emitDifference(ImplicitLocOpBuilder &b,
                                IntervalEmitter &emitter, const Box &box,
                                IntervalEmitter::PartInterval parts) {
  Emission e(b);
  Emitter differences(b, *this, emitter, box, parts);
  Difference all{e.bit(false), e.bit(false), e.bit(!readsDistance)};
  for (const Conjunction &conjunction : logic.kept)
    for (const Literal &literal : conjunction)
      all = differences.either(all, differences.of(literal));
  return all;
}
