// The tensors of the backward pass.
#ifndef ATTN_BENCH_CASES_GRADIENTS_H
#define ATTN_BENCH_CASES_GRADIENTS_H

#include "attn/API/Attention.h"

namespace attn::bench {

/// What flows in, of the output's shape, and where the gradients of query, key
/// and value go, each of its tensor's shape.
struct Gradients {
  TensorView out;
  TensorView query, key, value;
};

} // namespace attn::bench

#endif // ATTN_BENCH_CASES_GRADIENTS_H
