// Softmax kernels, and those of their gradients, by mod and types, compiled
// once for a run of the bench.
#ifndef ATTN_BENCH_NUMERICS_SOFTMAX_H
#define ATTN_BENCH_NUMERICS_SOFTMAX_H

#include "attn/API/SoftmaxGradient.h"

namespace attn::bench {

/// The kernel for scores of `scores` and probabilities of `probabilities`. Mods
/// must outlive the run. The compile happens at the first call.
Result<const SoftmaxKernel *> softmaxFor(const Mod &, Target target,
                                         ElementType scores,
                                         ElementType probabilities);

/// The CPU's with scores and probabilities of `type`.
inline Result<const SoftmaxKernel *> softmaxFor(const Mod &mod,
                                                ElementType type) {
  return softmaxFor(mod, Target::CPU, type, type);
}

/// The kernel of its gradients, for f32 scores.
Result<const SoftmaxGradientKernel *>
softmaxGradientFor(const Mod &, Target target, ElementType probabilities);

} // namespace attn::bench

#endif // ATTN_BENCH_NUMERICS_SOFTMAX_H
