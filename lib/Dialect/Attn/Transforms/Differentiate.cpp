// attn-differentiate: see its description in Passes.td. Reverse mode: the score
// program is evaluated once more, then its operations are visited backwards,
// each handing the gradient of its result on to its operands.
#include "Derivatives.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/Transforms/Differentiate.h"
#include "attn/Dialect/Attn/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::attn {
#define GEN_PASS_DEF_ATTNDIFFERENTIATEPASS
#include "attn/Dialect/Attn/Transforms/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;

namespace {

/// The captures, by number, whose gradients are asked for.
using Asked = llvm::SmallSetVector<int64_t, 4>;

/// Gradients of values on the way back, as f32.
using Gradients = llvm::DenseMap<Value, Value>;

class Differentiation {
public:
  Differentiation(ModOp mod, const Asked &asked)
      : mod(mod), asked(asked), b(mod.getLoc(), mod.getContext()) {}

  LogicalResult run() {
    Block &score = mod.getScore().front();
    Block *adjoint = b.createBlock(&mod.getAdjoint());
    IRMapping mapping;
    unsigned captures = mod.getNumCaptures();
    for (BlockArgument argument : score.getArguments()) {
      mapping.map(argument,
                  adjoint->addArgument(argument.getType(), argument.getLoc()));
      if (argument.getArgNumber() == captures)
        adjoint->addArgument(b.getF32Type(), argument.getLoc());
    }
    this->score = adjoint->getArgument(captures);
    for (Operation &op : score.without_terminator())
      b.clone(op, mapping);
    Value result = mapping.lookup(score.getTerminator()->getOperand(0));
    Gradients gradients;
    add(gradients, result, adjoint->getArgument(captures + 1));
    if (failed(reverse(*adjoint, gradients)))
      return failure();
    Value gradient = gradients.lookup(this->score);
    YieldOp::create(b, gradient ? gradient : zero());
    for (unsigned i = 0; i < captures; ++i)
      if (Value own = gradients.lookup(adjoint->getArgument(i)))
        if (asked.contains(i)) {
          OpBuilder::InsertionGuard guard(b);
          b.setInsertionPoint(adjoint->getTerminator());
          AccumulateOp::create(b, adjoint->getArgument(i), ValueRange(), own);
        }
    eraseDead();
    return success();
  }

private:
  /// Most of the score program is evaluated once more for nothing.
  void eraseDead() {
    SmallVector<Operation *> ops;
    mod.getAdjoint().walk<WalkOrder::PreOrder>(
        [&](Operation *op) { ops.push_back(op); });
    for (Operation *op : llvm::reverse(ops))
      if (isOpTriviallyDead(op))
        op->erase();
  }

  Value zero() { return arith::ConstantOp::create(b, b.getF32FloatAttr(0)); }

  void add(Gradients &gradients, Value value, Value gradient) {
    if (!isActive(value))
      return;
    Value &sum = gradients[value];
    sum = sum ? arith::AddFOp::create(b, sum, gradient).getResult() : gradient;
  }

  /// Whether the score, or a capture that is asked for, has a part in `value`.
  bool isActive(Value value) {
    if (!isa<FloatType>(value.getType()))
      return false;
    auto found = active.find(value);
    if (found != active.end())
      return found->second;
    bool result = decideActive(value);
    return active[value] = result;
  }

  bool isAsked(Value capture) {
    auto argument = dyn_cast<BlockArgument>(capture);
    return argument && argument.getOwner() == score.getParentBlock() &&
           asked.contains(argument.getArgNumber());
  }

  bool decideActive(Value value) {
    Operation *op = value.getDefiningOp();
    if (!op)
      return value == score || isAsked(value);
    if (auto load = dyn_cast<LoadOp>(op))
      return isAsked(load.getTable());
    if (auto branch = dyn_cast<scf::IfOp>(op)) {
      unsigned i = cast<OpResult>(value).getResultNumber();
      return isActive(branch.thenYield().getOperand(i)) ||
             isActive(branch.elseYield().getOperand(i));
    }
    return llvm::any_of(op->getOperands(),
                        [&](Value operand) { return isActive(operand); });
  }

  /// Visits the operations that are in `block` now from the last to the first;
  /// emits at the insertion point. `gradients`: of what is used behind them,
  /// and then of what they use.
  LogicalResult reverse(Block &block, Gradients &gradients) {
    SmallVector<Operation *> ops;
    for (Operation &op : block)
      if (!op.hasTrait<OpTrait::IsTerminator>())
        ops.push_back(&op);
    for (Operation *op : llvm::reverse(ops)) {
      b.setLoc(op->getLoc());
      if (auto branch = dyn_cast<scf::IfOp>(op)) {
        if (failed(reverseIf(branch, gradients)))
          return failure();
        continue;
      }
      for (OpResult result : op->getResults())
        if (Value gradient = gradients.lookup(result))
          if (failed(reverseOp(op, result, gradient, gradients)))
            return failure();
    }
    return success();
  }

  LogicalResult reverseOp(Operation *op, OpResult result, Value gradient,
                          Gradients &gradients) {
    if (auto load = dyn_cast<LoadOp>(op)) {
      AccumulateOp::create(b, load.getTable(), load.getIndices(), gradient);
      return success();
    }
    auto contributions = emitContributions(b, result, gradient);
    if (failed(contributions))
      return op->emitOpError()
             << "has no derivative that is known, which is asked for";
    for (auto [operand, value] : *contributions)
      add(gradients, operand->get(), value);
    return success();
  }

  /// A branch on the same condition, in which the taken side is evaluated again
  /// and reversed. Its results are what it adds to the gradients of values from
  /// outside.
  LogicalResult reverseIf(scf::IfOp op, Gradients &gradients) {
    SmallVector<Value> ofResults;
    for (Value result : op.getResults())
      ofResults.push_back(gradients.lookup(result));
    if (llvm::none_of(ofResults, [](Value value) { return !!value; }))
      return success();
    llvm::SetVector<Value> outside;
    for (Region *side : {&op.getThenRegion(), &op.getElseRegion()})
      side->walk([&](Operation *inner) {
        for (Value operand : inner->getOperands())
          if (!op->isAncestor(operand.getParentBlock()->getParentOp()) &&
              isActive(operand))
            outside.insert(operand);
      });
    SmallVector<Type> types(outside.size(), b.getF32Type());
    auto branch = scf::IfOp::create(b, types, op.getCondition(),
                                    /*addThenBlock=*/true,
                                    /*addElseBlock=*/true);
    for (auto [from, to] : {std::pair(op.thenBlock(), branch.thenBlock()),
                            std::pair(op.elseBlock(), branch.elseBlock())}) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToEnd(to);
      IRMapping mapping;
      for (Operation &inner : from->without_terminator())
        b.clone(inner, mapping);
      Gradients inside;
      for (auto [value, gradient] :
           llvm::zip(from->getTerminator()->getOperands(), ofResults))
        if (gradient)
          add(inside, mapping.lookupOrDefault(value), gradient);
      if (failed(reverse(*to, inside)))
        return failure();
      SmallVector<Value> added;
      for (Value value : outside) {
        Value gradient = inside.lookup(value);
        added.push_back(gradient ? gradient : zero());
      }
      scf::YieldOp::create(b, added);
    }
    for (auto [value, gradient] : llvm::zip(outside, branch.getResults()))
      add(gradients, value, gradient);
    return success();
  }

  ModOp mod;
  const Asked &asked;
  ImplicitLocOpBuilder b;
  Value score; ///< in the adjoint program
  llvm::DenseMap<Value, bool> active;
};

} // namespace

LogicalResult mlir::attn::addAdjoint(ModOp mod, ArrayRef<int64_t> wrt) {
  Asked asked(wrt.begin(), wrt.end());
  return Differentiation(mod, asked).run();
}

namespace {
struct AttnDifferentiatePass
    : public mlir::attn::impl::AttnDifferentiatePassBase<
          AttnDifferentiatePass> {
  void runOnOperation() override {
    llvm::MapVector<ModOp, Asked> mods;
    getOperation().walk([&](AttentionBackwardOp op) {
      if (ModOp mod = op.lookupMod()) {
        ArrayRef<int64_t> wrt = op.getWrt();
        mods[mod].insert(wrt.begin(), wrt.end());
      }
    });
    for (auto &[mod, asked] : mods) {
      if (!mod.hasScore() || mod.hasAdjoint())
        continue;
      if (!ModOp(mod).standsAlone()) {
        ModOp(mod).emitOpError() << "expects a mod that stands alone: run "
                                    "attn-inline-mods first";
        return signalPassFailure();
      }
      if (failed(addAdjoint(mod, asked.getArrayRef())))
        return signalPassFailure();
    }
  }
};
} // namespace
