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
  unsigned beyond = 0;
  bool isRow = positions.isRow(value), isColumn = positions.isColumn(value);
  if (positions.isUniform(value)) {
    beyond = 0;
  } else if ((isRow || isColumn) && positions.canHoist(value) &&
             !logic.affine(value)) {
    (isRow ? ofQuery : ofKey).push_back(value);
  } else if (value.getDefiningOp()) {
    for (Value source : sourcesOf(value))
      beyond |= beyondClasses(source);
  } else {
    beyond = positions.of(value);
  }
  return known[value] = beyond & (QueryPosition | KeyPosition);
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
    Difference all = literal.value ? sources(literal.value)
                                   : Difference{bit(literal.form.query != 0),
                                                bit(literal.form.key != 0)};
    return whereMixed(literal, all);
  }

private:
  Difference of(Value value) {
    auto found = known.find(value);
    if (found != known.end())
      return found->second;
    Difference difference = sources(value);
    if (value.getType().isInteger(1))
      difference = whereMixed({{}, value, false}, difference);
    return known[value] = difference;
  }

  Difference sources(Value value) {
    unsigned beyond = classes.beyondClasses(value);
    Difference all{bit(beyond & QueryPosition), bit(beyond & KeyPosition)};
    if (!beyond || !value.getDefiningOp())
      return all;
    all = {bit(false), bit(false)};
    for (Value source : sourcesOf(value)) {
      Difference one = of(source);
      all = {either(all.queries, one.queries), either(all.keys, one.keys)};
    }
    return all;
  }

  /// Nothing differs where the literal holds for all pairs, or for none.
  Difference whereMixed(const Literal &literal, Difference all) {
    if (matchPattern(all.queries, m_Zero()) && matchPattern(all.keys, m_Zero()))
      return all;
    Truth truth = emitter.truth(literal, box, parts);
    Value mixed = both(truth.canHold, truth.canFail);
    return {both(all.queries, mixed), both(all.keys, mixed)};
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
  Difference all{e.bit(false), e.bit(false)};
  for (const Conjunction &conjunction : logic.kept)
    for (const Literal &literal : conjunction) {
      Difference one = differences.of(literal);
      all = {e.either(all.queries, one.queries), e.either(all.keys, one.keys)};
    }
  return all;
}
