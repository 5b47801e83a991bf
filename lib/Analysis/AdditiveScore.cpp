// See AdditiveScore.h.
#include "attn/Analysis/AdditiveScore.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::attn;

/// Whether `value` is the score plus what does not depend on it.
static bool isScorePlus(Value value, Value score,
                        llvm::function_ref<bool(Value)> depends) {
  if (value == score)
    return true;
  Operation *op = value.getDefiningOp();
  if (!op || !isa<arith::AddFOp, arith::SubFOp>(op))
    return false;
  Value lhs = op->getOperand(0), rhs = op->getOperand(1);
  if (!depends(rhs))
    return isScorePlus(lhs, score, depends);
  return isa<arith::AddFOp>(op) && !depends(lhs) &&
         isScorePlus(rhs, score, depends);
}

bool mlir::attn::hasAdditiveScore(ModOp mod) {
  if (!mod || !mod.hasScore())
    return true;
  Block &body = mod.getScore().front();
  Value score = body.getArgument(mod.getNumCaptures());
  SetVector<Operation *> dependent;
  getForwardSlice(score, &dependent);
  return isScorePlus(body.getTerminator()->getOperand(0), score,
                     [&](Value value) {
                       Operation *op = value.getDefiningOp();
                       return value == score || (op && dependent.contains(op));
                     });
}
