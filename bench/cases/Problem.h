// One case as backends and references get it.
#ifndef ATTN_BENCH_CASES_PROBLEM_H
#define ATTN_BENCH_CASES_PROBLEM_H

#include "attn/API/Attention.h"

#include <optional>
#include <string>
#include <vector>

namespace attn::bench {

enum class Pass { Forward, Backward };

/// Keys and values in pages: (page, head, row, channel). Which page holds which
/// keys, `table` says: (batch, columns), in the device's memory.
struct KeyPages {
  TensorView key, value;
  const int32_t *table = nullptr;
  int64_t columns = 0;
};

/// What the caches of a batch hold, where not all keys are there.
struct KeyCache {
  std::vector<int32_t> lengths;           ///< of each sequence
  const int32_t *deviceLengths = nullptr; ///< the same in the device's memory
  std::optional<KeyPages> pages;          ///< the same keys once more
};

/// One attention problem with its tensors in the device's memory.
struct Problem {
  std::string pattern; ///< the mod's name: a peer with fixed variants knows it
  const Mod *mod = nullptr;
  ProblemSizes sizes;
  ElementType type = ElementType::F32;
  float scale = 1;
  /// The position of the first query (decoding without lengths).
  int64_t queryOffset = 0;
  TensorView query, key, value;
  const KeyCache *cache = nullptr; ///< null: all keys are there
  TensorView out; ///< what the forward pass writes; the reference does not
  std::vector<CaptureView> captures; ///< in device memory
  const std::vector<CaptureData> *hostCaptures = nullptr;

  /// The keys that a sequence has.
  int64_t keysOf(int64_t batch) const {
    return cache ? cache->lengths[batch] : sizes.keys;
  }
};

/// What a backend says that does not read the pages of a problem.
inline const char *remarkOnPages(const Problem &problem) {
  return problem.cache && problem.cache->pages ? "reads keys that adjoin" : "";
}

/// A view of the first positions of a tensor.
inline TensorView firstPositions(TensorView view, int64_t count) {
  view.sizes[2] = count;
  return view;
}

} // namespace attn::bench

#endif // ATTN_BENCH_CASES_PROBLEM_H
