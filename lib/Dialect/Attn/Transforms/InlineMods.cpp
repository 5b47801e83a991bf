// attn-inline-mods: makes each mod stand alone.
#include "attn/Dialect/Attn/Transforms/Passes.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/IR/ModProgram.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::attn {
#define GEN_PASS_DEF_ATTNINLINEMODSPASS
#include "attn/Dialect/Attn/Transforms/Passes.h.inc"
} // namespace mlir::attn

using namespace mlir;
using namespace mlir::attn;

namespace {
class ModInliner {
public:
  explicit ModInliner(SymbolTableCollection &symbols) : symbols(symbols) {}

  /// Inlines what `mod` applies, after inlining what that applies: the verifier
  /// has seen to it that this ends.
  LogicalResult inlineInto(ModOp mod);

private:
  template <typename ApplyOp> LogicalResult inlineApply(ApplyOp apply);

  SymbolTableCollection &symbols;
  DenseSet<Operation *> done;
};
} // namespace

static Value cloneLoad(OpBuilder &builder, LoadOp load, ValueRange indices,
                       Value table) {
  return LoadOp::create(builder, load.getLoc(), load.getType(), table, indices);
}

/// What stands for a program that is absent: the score, or true.
static Value absentProgram(OpBuilder &builder, ApplyScoreOp apply) {
  return apply.getScore();
}
static Value absentProgram(OpBuilder &builder, ApplyMaskOp apply) {
  return arith::ConstantOp::create(builder, apply.getLoc(),
                                   builder.getBoolAttr(true));
}

static Region &programOf(ModOp mod, ApplyScoreOp) { return mod.getScore(); }
static Region &programOf(ModOp mod, ApplyMaskOp) { return mod.getMask(); }

template <typename ApplyOp>
LogicalResult ModInliner::inlineApply(ApplyOp apply) {
  auto mod = symbols.lookupNearestSymbolFrom<ModOp>(apply, apply.getModAttr());
  if (failed(inlineInto(mod)))
    return failure();
  IRRewriter rewriter(apply);
  Region &program = programOf(mod, apply);
  Value result;
  if (program.empty()) {
    result = absentProgram(rewriter, apply);
  } else {
    ValueRange args = apply->getOperands().drop_front(mod.getNumCaptures());
    result = inlineProgram(rewriter, apply.getLoc(), program,
                           apply.getCaptures(), args, cloneLoad);
    if (!result)
      return failure();
  }
  rewriter.replaceOp(apply, result);
  return success();
}

LogicalResult ModInliner::inlineInto(ModOp mod) {
  if (!done.insert(mod).second)
    return success();
  SmallVector<Operation *> applies;
  mod->walk([&](Operation *op) {
    if (isa<ApplyScoreOp, ApplyMaskOp>(op))
      applies.push_back(op);
  });
  for (Operation *op : applies) {
    auto score = dyn_cast<ApplyScoreOp>(op);
    if (failed(score ? inlineApply(score) : inlineApply(cast<ApplyMaskOp>(op))))
      return failure();
  }
  return success();
}

namespace {
struct AttnInlineModsPass
    : public attn::impl::AttnInlineModsPassBase<AttnInlineModsPass> {
  void runOnOperation() override {
    SymbolTableCollection symbols;
    ModInliner inliner(symbols);
    WalkResult walk = getOperation().walk(
        [&](ModOp mod) { return WalkResult(inliner.inlineInto(mod)); });
    if (walk.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
