// Canonicalisations: programs that change nothing disappear, and with them the
// mod of an attention; so do gradients that nobody reads.
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

/// A score program that yields its score changes nothing, and its derivative
/// neither.
static LogicalResult eraseSameScore(ModOp mod, PatternRewriter &rewriter) {
  Value score = yieldedValue(mod.getScore());
  if (!score || score != mod.getScore().getArgument(mod.getNumCaptures()))
    return rewriter.notifyMatchFailure(mod, "the score changes");
  eraseProgram(mod, mod.getScore(), rewriter);
  if (mod.hasAdjoint())
    eraseProgram(mod, mod.getAdjoint(), rewriter);
  return success();
}

void ModOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                        MLIRContext *context) {
  patterns.add(eraseTrueMask);
  patterns.add(eraseSameScore);
}

/// Whether the gradients of captures are results.
static bool differentiatesCaptures(AttentionOp) { return false; }
static bool differentiatesCaptures(AttentionBackwardOp op) {
  return !op.getWrt().empty();
}

/// Whether the length of its keys is that of a page.
static bool isPaged(AttentionOp op) { return !!op.getPages(); }
static bool isPaged(AttentionBackwardOp) { return false; }

/// Attention with a mod that has no program is attention without a mod.
template <typename Op>
static LogicalResult dropEmptyMod(Op op, PatternRewriter &rewriter) {
  ModOp mod = op.lookupMod();
  if (!mod || mod.hasScore() || mod.hasMask())
    return rewriter.notifyMatchFailure(op, "no mod, or one with a program");
  if (differentiatesCaptures(op))
    return rewriter.notifyMatchFailure(op, "results depend on the captures");
  rewriter.modifyOpInPlace(op, [&] {
    op.removeModAttr();
    op.getCapturesMutable().clear();
  });
  return success();
}

/// An offset of nothing, or that nothing sees.
template <typename Op>
static LogicalResult dropQueryOffset(Op op, PatternRewriter &rewriter) {
  if (!op.getQueryOffset() ||
      (op.getModAttr() && !matchPattern(op.getQueryOffset(), m_Zero())))
    return rewriter.notifyMatchFailure(op,
                                       "no query offset, or one that counts");
  rewriter.modifyOpInPlace(op, [&] { op.getQueryOffsetMutable().clear(); });
  return success();
}

/// Lengths that no key is behind.
template <typename Op>
static LogicalResult dropLengths(Op op, PatternRewriter &rewriter) {
  DenseIntElementsAttr lengths;
  if (!op.getLengths() || !matchPattern(op.getLengths(), m_Constant(&lengths)))
    return rewriter.notifyMatchFailure(op, "no lengths, or not known");
  int64_t keys = cast<RankedTensorType>(op.getKey().getType()).getDimSize(2);
  if (isPaged(op) || ShapedType::isDynamic(keys) ||
      llvm::any_of(lengths, [&](const APInt &length) {
        return length.getSExtValue() < keys;
      }))
    return rewriter.notifyMatchFailure(op, "a length that counts");
  rewriter.modifyOpInPlace(op, [&] { op.getLengthsMutable().clear(); });
  return success();
}

/// The gradient of a capture that nobody reads is not asked for.
static LogicalResult dropUnusedGradients(AttentionBackwardOp op,
                                         PatternRewriter &rewriter) {
  SmallVector<int64_t> wrt;
  SmallVector<Value> used{op.getGradQuery(), op.getGradKey(),
                          op.getGradValue()};
  for (auto [number, gradient] :
       llvm::zip_equal(op.getWrt(), op.getGradCaptures())) {
    if (gradient.use_empty())
      continue;
    wrt.push_back(number);
    used.push_back(gradient);
  }
  if (wrt.size() == op.getWrt().size())
    return rewriter.notifyMatchFailure(op, "every gradient is read");
  auto smaller = AttentionBackwardOp::create(rewriter, op.getLoc(),
                                             ValueRange(used).getTypes(),
                                             op->getOperands(), op->getAttrs());
  smaller.setWrt(wrt);
  for (auto [from, to] : llvm::zip_equal(used, smaller.getResults()))
    rewriter.replaceAllUsesWith(from, to);
  rewriter.eraseOp(op);
  return success();
}

void AttentionOp::getCanonicalizationPatterns(RewritePatternSet &patterns,
                                              MLIRContext *context) {
  patterns.add(dropEmptyMod<AttentionOp>);
  patterns.add(dropQueryOffset<AttentionOp>);
  patterns.add(dropLengths<AttentionOp>);
}

void AttentionBackwardOp::getCanonicalizationPatterns(
    RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add(dropEmptyMod<AttentionBackwardOp>);
  patterns.add(dropQueryOffset<AttentionBackwardOp>);
  patterns.add(dropLengths<AttentionBackwardOp>);
  patterns.add(dropUnusedGradients);
}
