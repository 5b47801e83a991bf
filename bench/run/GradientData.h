// The tensors of one case's backward pass in memory, and what they must become.
#ifndef ATTN_BENCH_RUN_GRADIENTDATA_H
#define ATTN_BENCH_RUN_GRADIENTDATA_H

#include "devices/Tensors.h"
#include "references/GradientReference.h"

namespace attn::bench {

/// Stays where it was made, as `gradients` points into it.
class GradientData {
public:
  /// Allocates everything, fills the gradient that flows in from the pool, and
  /// computes the reference. Errors: memory.
  static Result<std::unique_ptr<GradientData>>
  create(Device &, const Problem &, const std::vector<std::byte> &pool,
         bool ofCaptures);

  const Gradients &gradients() const { return views; }
  const GradientReference &reference() const { return expected; }

  /// Makes every element of the results a NaN.
  Result<void> poison();
  /// The worst of the results; with gradients of captures, if the backend
  /// computes them. Errors: a guard band was written to.
  Result<GradientError> compare(bool withCaptures) const;

private:
  Result<void> createCaptures(Device &, const Problem &);

  Gradients views;
  GuardedTensor out, query, key, value;
  std::vector<GuardedTensor> captures;
  GradientReference expected;
};

} // namespace attn::bench

#endif // ATTN_BENCH_RUN_GRADIENTDATA_H
