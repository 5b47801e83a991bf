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
  void inlineInto(ModOp mod);

private:
  template <typename ApplyOp> void inlineApply(ApplyOp apply);

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

template <typename ApplyOp> void ModInliner::inlineApply(ApplyOp apply) {
  auto mod = symbols.lookupNearestSymbolFrom<ModOp>(apply, apply.getModAttr());
  inlineInto(mod);
  IRRewriter rewriter(apply);
  Region &program = programOf(mod, apply);
  Value result;
  if (program.empty()) {
    result = absentProgram(rewriter, apply);
  } else {
    ValueRange args = apply->getOperands().drop_front(mod.getNumCaptures());
    result =
        inlineProgram(rewriter, program, apply.getCaptures(), args, cloneLoad);
  }
  rewriter.replaceOp(apply, result);
}

void ModInliner::inlineInto(ModOp mod) {
  if (!done.insert(mod).second)
    return;
  SmallVector<Operation *> applies;
  mod->walk([&](Operation *op) {
    if (isa<ApplyScoreOp, ApplyMaskOp>(op))
      applies.push_back(op);
  });
  for (Operation *op : applies) {
    if (auto score = dyn_cast<ApplyScoreOp>(op))
      inlineApply(score);
    else
      inlineApply(cast<ApplyMaskOp>(op));
  }
}

namespace {
struct AttnInlineModsPass
    : public mlir::attn::impl::AttnInlineModsPassBase<AttnInlineModsPass> {
  void runOnOperation() override {
    SymbolTableCollection symbols;
    ModInliner inliner(symbols);
    getOperation().walk([&](ModOp mod) { inliner.inlineInto(mod); });
  }
};
} // namespace
