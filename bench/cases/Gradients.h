// The tensors of the backward pass.
#ifndef ATTN_BENCH_CASES_GRADIENTS_H
#define ATTN_BENCH_CASES_GRADIENTS_H

#include "attn/API/Attention.h"

#include <string>
#include <vector>

namespace attn::bench {

/// Where the gradient of a captured value goes: contiguous f32.
struct CaptureGradient {
  std::string name;
  float *data = nullptr;
  int64_t count = 0;
};

/// What flows in, of the output's shape, and where the gradients of query, key
/// and value go, each of its tensor's shape.
struct Gradients {
  TensorView out;
  TensorView query, key, value;
  /// Of a mod's floats, for backends that have these.
  std::vector<CaptureGradient> captures;
};

} // namespace attn::bench

#endif // ATTN_BENCH_CASES_GRADIENTS_H
