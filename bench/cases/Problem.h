// One case as backends and references get it.
#ifndef ATTN_BENCH_CASES_PROBLEM_H
#define ATTN_BENCH_CASES_PROBLEM_H

#include "attn/API/Attention.h"

#include <string>

namespace attn::bench {

enum class Pass { Forward, Backward };

/// One attention problem with its tensors in the device's memory.
struct Problem {
  std::string pattern; ///< the mod's name: a peer with fixed variants knows it
  const Mod *mod = nullptr;
  ProblemSizes sizes;
  ElementType type = ElementType::F32;
  float scale = 1;
  /// The position of the first query (decoding), the last captured value.
  int64_t queryOffset = 0;
  TensorView query, key, value;
  TensorView out; ///< what the forward pass writes; the reference does not
  std::vector<CaptureView> captures; ///< in device memory
  const std::vector<CaptureData> *hostCaptures = nullptr;
};

} // namespace attn::bench

#endif // ATTN_BENCH_CASES_PROBLEM_H
