// What the device can do at most: the vendor's matrix product, a copy and a
// stream of reads, for the roofline of the report; and the least that a launch
// takes.
#ifndef ATTN_BENCH_RUN_CEILINGS_H
#define ATTN_BENCH_RUN_CEILINGS_H

#include "results/RunInfo.h"

namespace attn::bench {

/// How much is multiplied and copied, and for how long.
struct CeilingSizes {
  int64_t matrix;       ///< rows and columns
  int64_t copyBytes;    ///< copied, and read: more than any cache holds
  double seconds = 0.5; ///< of each: on a processor others disturb
};

/// What keeps the target busy for milliseconds.
CeilingSizes ceilingSizes(Target);

/// Measures within about two seconds: the product of two large square matrices
/// of each type by cuBLAS (in f32 by OpenBLAS on a processor), a copy of a
/// tensor that no cache holds, a stream that only reads one, and, timed as a
/// backend is, a kernel that does nothing. What cannot be measured is left out.
Ceilings measureCeilings(Device &, const std::vector<ElementType> &types,
                         const CeilingSizes &);

} // namespace attn::bench

#endif // ATTN_BENCH_RUN_CEILINGS_H
