// Whether a score program adds something to the score: ALiBi and biases do, a
// soft cap does not.
#ifndef ATTN_ANALYSIS_ADDITIVESCORE_H
#define ATTN_ANALYSIS_ADDITIVESCORE_H

namespace mlir::attn {

class ModOp;

/// Whether the scores of `mod`, inlined, or null for none, are s plus what s is
/// no part of. Then their derivative is 1, and what is added to s is added to
/// them.
bool hasAdditiveScore(ModOp mod);

} // namespace mlir::attn

#endif // ATTN_ANALYSIS_ADDITIVESCORE_H
