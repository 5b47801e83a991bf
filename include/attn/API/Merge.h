// Attention over keys in several parts, from that over each part: what caches
// take that sequences share in part, keys that lie on several GPUs, and
// attention sinks.
//
//   LSE = log sum over parts of exp(LSE_i)
//
//   O = sum over parts of exp(LSE_i - LSE) O_i
//
// in f32. A row of a part whose LSE is -inf has no keys: it adds nothing, be
// its O NaN. Where no part has keys, O is 0 and LSE is -inf. Parts weigh as
// exactly as their LSEs can tell: beside 1e9 the spacing of f32 is 64.
#ifndef ATTN_API_MERGE_H
#define ATTN_API_MERGE_H

#include "attn/API/Attention.h"

namespace attn {

/// What to compile. Batch, heads, queries and strides are run-time values.
struct MergeSpec {
  Target target = Target::CPU;
  ElementType type = ElementType::F32; ///< of outs: F32, F16 or BF16
  int64_t valueDim = 64;               ///< 1 to 256
  /// How many parts a run may have at most, 1 to 16: two launches merge more.
  int64_t parts = 2;
  /// Whether there is a part without values: an LSE for each head, O of 0.
  bool sink = false;
  bool lse = true; ///< whether the LSE of all parts is a result
  /// CUDA: as KernelSpec has it.
  std::optional<int> device = std::nullopt;
};

/// Of the same queries over other keys.
struct AttentionPart {
  TensorView out;
  const float *lse = nullptr; ///< (batch, heads, queries), contiguous
};

/// What a merge runs on: memory of its target.
struct MergeArguments {
  std::vector<AttentionPart> parts; ///< at least one
  const float *sink = nullptr;      ///< (heads)
  /// May be the very view of a part. `lse` must not be a part's.
  TensorView out;
  float *lse = nullptr;   ///< (batch, heads, queries), contiguous
  void *stream = nullptr; ///< CUDA: a CUstream
};

/// Compiled once for all sizes: run() compiles and allocates nothing, and can
/// be captured into a graph. Thread-safe.
class MergeKernel {
public:
  /// Errors: numbers that are not as MergeSpec says; no such GPU, or none is
  /// said.
  static Result<MergeKernel> compile(const MergeSpec &spec);

  /// CUDA: asynchronous. Errors: shapes, types or numbers of parts which this
  /// kernel does not take; a launch failure.
  Result<void> run(const MergeArguments &arguments) const;

  double compileSeconds() const; ///< MLIR to loaded kernel

  struct Impl;

private:
  std::shared_ptr<const Impl> pimpl;
};

} // namespace attn

#endif // ATTN_API_MERGE_H
