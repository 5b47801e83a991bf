// The middle step of unfused gradients of an attention.
#ifndef ATTN_API_SOFTMAXGRADIENT_H
#define ATTN_API_SOFTMAXGRADIENT_H

#include "attn/API/Attention.h"

namespace attn {

/// Memory of one run; matrices are contiguous [count][queries][keys], and row
/// (b,h) is first + i, as for SoftmaxKernel.
struct SoftmaxGradientArguments {
  const void *scores =
      nullptr; ///< f32, as for SoftmaxKernel; see readsScores()
  const void *probabilities = nullptr;     ///< what it gave
  const void *gradProbabilities = nullptr; ///< f32
  /// Of the probabilities' type; may be the memory of gradProbabilities if that
  /// is f32. Of the scores before `scale`.
  void *gradScores = nullptr;
  int64_t first = 0, count = 0, heads = 1, queries = 0, keys = 0;
  double scale = 1; ///< s = scale * score
  std::vector<CaptureView> captures = {};
};

/// From the gradients of a row-wise softmax with mods applied to those of the
/// materialised scores: what the `math` backend computes between its products.
/// Not for production: the matrices grow with queries * keys.
class SoftmaxGradientKernel {
public:
  /// `probabilityType`: f32 on a CPU. Errors: another type there; an operation
  /// of the score program without a derivative, with its line.
  static Result<SoftmaxGradientKernel> compile(const Mod &, Target,
                                               ElementType probabilityType);

  /// Where a probability is zero, as where the mask drops the pair, so is the
  /// gradient. CPU: on all cores.
  Result<void> run(const SoftmaxGradientArguments &,
                   void *stream = nullptr) const;

  /// Whether the derivative of the score program depends on the score. If not,
  /// a run takes null for the scores.
  bool readsScores() const;

  struct Impl;

private:
  std::shared_ptr<const Impl> pimpl;
};

} // namespace attn

#endif // ATTN_API_SOFTMAXGRADIENT_H
