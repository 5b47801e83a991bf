// The matrix products of unfused attention and of its gradients on a GPU, by
// cuBLAS: what the `math` backend and the GPU's reference have in common.
// cuBLAS is loaded at run time.
#ifndef ATTN_BENCH_NUMERICS_CUBLASATTENTION_H
#define ATTN_BENCH_NUMERICS_CUBLASATTENTION_H

#include "attn/API/Attention.h"

namespace attn::bench {

struct CublasLibrary;

/// Products for runs of consecutive (batch, head) pairs, numbered
/// batch * heads + head by the query's heads; a key/value head serves
/// heads / kvHeads of them. Products accumulate in f32; f32 operands are
/// multiplied as f32, never as tf32.
class CublasAttention {
public:
  /// Errors: no cuBLAS on this machine; it cannot be initialised. Work is
  /// enqueued on `stream`.
  static Result<CublasAttention> create(void *stream);

  /// Why these tensors cannot be multiplied: a size or stride beyond what
  /// cuBLAS takes (int). Empty: they can.
  static std::string refusal(const TensorView &view);

  /// scores[i] = Q K^T of pair first + i: f32, contiguous
  /// [count][queries][keys], not scaled.
  Result<void> scores(const TensorView &query, const TensorView &key,
                      int64_t first, int64_t count, float *scores) const;

  /// out of pair first + i = probabilities[i] V. probabilities: contiguous
  /// [count][queries][keys] of value.type; out.type: the same, or f32.
  Result<void> output(const void *probabilities, const TensorView &value,
                      const TensorView &out, int64_t first,
                      int64_t count) const;

  /// The gradient of a key-value head: the sum of weights[i]^T rows over the
  /// pairs of its query heads. weights: as probabilities, for pairs which are
  /// all query heads of some key-value heads; rows: of all query heads. The sum
  /// over a group is rounded to out.type at each of its heads.
  Result<void> transposedOutput(const void *weights, const TensorView &rows,
                                const TensorView &out, int64_t first,
                                int64_t count) const;

private:
  CublasAttention(const CublasLibrary &library, void *handle)
      : library(&library), handle(handle) {}

  const CublasLibrary *library;
  void *handle; ///< lives until the process ends
};

} // namespace attn::bench

#endif // ATTN_BENCH_NUMERICS_CUBLASATTENTION_H
