// Canonicalisations: programs that change nothing disappear, and with them the
// mod of an attention.
#include "attn/Dialect/Attn/IR/AttnDialect.h"

#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace mlir::attn;

/// What the program yields; null if it is absent.
static Value yieldedValue(Region &program) {
  if (program.empty())
    return {};
  return cast<YieldOp>(program.front().getTerminator()).getResult();
}

/// Makes the program absent.
static void eraseProgram(ModOp mod, Region &program, RewriterBase &rewriter) {
  rewriter.modifyOpInPlace(mod, [&] { rewriter.eraseBlock(&program.front()); });
}

/// A mask that is constantly true drops nothing.
static LogicalResult eraseTrueMask(ModOp mod, PatternRewriter &rewriter) {
  Value keep = yieldedValue(mod.getMask());
  if (!keep || !matchPattern(keep, m_One()))
    return rewriter.notifyMatchFailure(mod, "the mask is not constantly true");
  eraseProgram(mod, mod.getMask(), rewriter);
  return success();
}

/// A score program that yields its score changes nothing.
static LogicalResult eraseSameScore(ModOp mod, PatternRewriter &rewriter) {
  Value score = yieldedValue(mod.getScore());
  if (!score || score != mod.getScore().getArgument(mod.getNumCaptures()))
    return rewriter.notifyMatchFailure(mod, "the score changes");
  eraseProgram(mod, mod.getScore(), rewriter);
  return success();
}

void ModOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                        MLIRContext *context) {
  patterns.add(eraseTrueMask);
  patterns.add(eraseSameScore);
}

/// Attention with a mod that has no program is attention without a mod.
static LogicalResult dropEmptyMod(AttentionOp op, PatternRewriter &rewriter) {
  ModOp mod = op.lookupMod();
  if (!mod || mod.hasScore() || mod.hasMask())
    return rewriter.notifyMatchFailure(op, "no mod, or one with a program");
  rewriter.modifyOpInPlace(op, [&] {
    op.removeModAttr();
    op.getCapturesMutable().clear();
  });
  return success();
}

/// An offset of nothing, or that nothing sees.
static LogicalResult dropQueryOffset(AttentionOp op,
                                     PatternRewriter &rewriter) {
  if (!op.getQueryOffset() ||
      (op.getModAttr() && !matchPattern(op.getQueryOffset(), m_Zero())))
    return rewriter.notifyMatchFailure(op,
                                       "no query offset, or one that counts");
  rewriter.modifyOpInPlace(op, [&] { op.getQueryOffsetMutable().clear(); });
  return success();
}

void AttentionOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *context) {
  patterns.add(dropEmptyMod);
  patterns.add(dropQueryOffset);
}
