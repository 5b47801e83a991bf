// See ScoreForm.h.
#include "attn/Analysis/ScoreForm.h"

#include "attn/Analysis/ProgramDependence.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::attn;

/// Beside positions.
static constexpr unsigned fromScore = 1u << 31;

namespace {
class FormFinder {
public:
  FormFinder(Region &program, Value score) : score(score), dependence(program) {
    dependence.assume(score, fromScore);
  }

  ScoreForm of(Value value) {
    if (value == score)
      return ScoreForm::Additive;
    if (!depends(value))
      return ScoreForm::Affine; // zero times s
    return of(value.getDefiningOp());
  }

private:
  bool depends(Value value) { return dependence.of(value) & fromScore; }

  ScoreForm of(Operation *op) {
    auto operand = [&](unsigned i) { return op->getOperand(i); };
    if (isa<arith::AddFOp, arith::SubFOp>(op)) {
      if (!depends(operand(1)))
        return of(operand(0));
      if (!depends(operand(0)) && isa<arith::AddFOp>(op))
        return of(operand(1));
      return affine(operand(0), operand(1));
    }
    if (isa<arith::NegFOp>(op))
      return affine(operand(0));
    if (isa<arith::MulFOp>(op) && !depends(operand(0)))
      return affine(operand(1));
    if (isa<arith::MulFOp, arith::DivFOp>(op) && !depends(operand(1)))
      return affine(operand(0));
    if (isa<arith::SelectOp>(op) && !depends(operand(0)))
      return affine(operand(1), operand(2));
    return ScoreForm::Other;
  }

  template <typename... Values> ScoreForm affine(Values... values) {
    bool areAll = ((of(values) != ScoreForm::Other) && ...);
    return areAll ? ScoreForm::Affine : ScoreForm::Other;
  }

  Value score;
  ProgramDependence dependence;
};
} // namespace

ScoreForm mlir::attn::scoreFormOf(ModOp mod) {
  if (!mod || !mod.hasScore())
    return ScoreForm::Additive;
  Block &body = mod.getScore().front();
  return FormFinder(mod.getScore(), body.getArgument(mod.getNumCaptures()))
      .of(body.getTerminator()->getOperand(0));
}
