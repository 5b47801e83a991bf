// What a score program makes of the score: ALiBi and biases add to it, a
// temperature multiplies it, a soft cap does neither.
#ifndef ATTN_ANALYSIS_SCOREFORM_H
#define ATTN_ANALYSIS_SCOREFORM_H

namespace mlir::attn {

class ModOp;

enum class ScoreForm {
  /// s plus what s is no part of: the derivative is 1, and what is added to s
  /// is added to the score.
  Additive,
  /// The same of a multiple of s: the derivative does not depend on s.
  Affine,
  Other
};

/// Of the scores of `mod`, inlined, or null for none.
ScoreForm scoreFormOf(ModOp mod);

} // namespace mlir::attn

#endif // ATTN_ANALYSIS_SCOREFORM_H
