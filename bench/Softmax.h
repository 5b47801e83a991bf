// Softmax kernels by mod and types, compiled once for a run of the bench.
#ifndef ATTN_BENCH_SOFTMAX_H
#define ATTN_BENCH_SOFTMAX_H

#include "attn/API/Attention.h"

namespace attn::bench {

/// The CPU kernel with scores and probabilities of `type`. Mods must outlive
/// the run. The compile happens at the first call.
Result<const SoftmaxKernel *> softmaxFor(const Mod &, ElementType type);

} // namespace attn::bench

#endif // ATTN_BENCH_SOFTMAX_H
