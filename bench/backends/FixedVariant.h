// The named patterns as a library with a fixed list of variants takes them.
#ifndef ATTN_BENCH_BACKENDS_FIXEDVARIANT_H
#define ATTN_BENCH_BACKENDS_FIXEDVARIANT_H

#include "cases/Problem.h"

namespace attn::bench {

/// What such a library can be asked for, and which keys it is given: queries
/// that are decoded see one run of keys, and with no other keys there a single
/// one needs no mask. Of a cache with lengths it gets all, and the lengths.
struct FixedVariant {
  bool causal = false;
  /// Whether positions of queries count from a sequence's last key, else from
  /// its first one.
  bool atEnd = false;
  int64_t window = 0;    ///< keys that a query sees, itself among them; 0: all
  bool alibi = false;    ///< slopes 2^(-8(h+1)/heads)
  double softcap = 0;    ///< 0: none
  TensorView key, value; ///< those of the problem, or a part of them
};

/// Errors: the pattern is no such variant.
Result<FixedVariant> fixedVariantOf(const Problem &);

} // namespace attn::bench

#endif // ATTN_BENCH_BACKENDS_FIXEDVARIANT_H
