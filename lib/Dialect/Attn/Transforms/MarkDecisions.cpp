// attn-mark-decisions: which floats of a mod must come out the same everywhere.
#include "attn/Dialect/Attn/Transforms/Passes.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::attn {
#define GEN_PASS_DEF_ATTNMARKDECISIONSPASS
#include "attn/Dialect/Attn/Transforms/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;

static bool isFloat(Value value) { return isa<FloatType>(value.getType()); }

/// Whether a float ends in `op` as something else.
static bool decides(Operation *op) {
  return llvm::any_of(op->getOperands(), isFloat) &&
         llvm::any_of(op->getResults(),
                      [](Value result) { return !isFloat(result); });
}

/// Marks what the floats among the operands of `op` are computed from. Integers
/// on the way are exact, and floats before them have been found by themselves.
static void markSources(Operation *op) {
  SmallVector<Value> pending;
  llvm::copy_if(op->getOperands(), std::back_inserter(pending), isFloat);
  llvm::SmallDenseSet<Value> seen;
  markExact(op);
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    Operation *source = value.getDefiningOp();
    if (!source || !seen.insert(value).second)
      continue;
    markExact(source);
    if (auto branch = dyn_cast<scf::IfOp>(source)) {
      unsigned i = cast<OpResult>(value).getResultNumber();
      pending.push_back(branch.thenYield().getOperand(i));
      pending.push_back(branch.elseYield().getOperand(i));
      continue;
    }
    llvm::append_range(pending,
                       llvm::make_filter_range(source->getOperands(), isFloat));
  }
}

namespace {
struct AttnMarkDecisionsPass
    : public mlir::attn::impl::AttnMarkDecisionsPassBase<
          AttnMarkDecisionsPass> {
  void runOnOperation() override {
    getOperation().walk([](ModOp mod) {
      mod->walk([](Operation *op) {
        if (decides(op))
          markSources(op);
      });
    });
  }
};
} // namespace
