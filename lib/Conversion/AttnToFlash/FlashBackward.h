// Builds the bodies of the two backward kernels in flash form.
//
// One owns tiles of queries and visits keys, and writes grad_query; the other
// owns tiles of keys and visits queries, for all heads of its group, and writes
// grad_key and grad_value; or there is one for each of these. Nothing is added
// up in memory, so the results are the same on every run. Or the second makes
// all three (`once` of its schedule): what its pairs give to queries is added
// up in memory, by many tasks in any order. Of a pair (rows are what the kernel
// owns):
//
//   t = score program of scale * q k     p = exp(t - lse), 0 where masked
//   dp = grad_out v                      g = p (dp - delta)
//   ds = adjoint program of g
//   grad_query += ds k                   grad_value += p grad_out
//                                        grad_key += ds q
//
// Where a thread has few registers left, the sums of the products for t and dp
// start with what is subtracted: -lse over what scales q k, and -delta.
//
// The first kernel also makes delta, the sum of out * grad_out of a row less
// grad_lse, which the others read with the LSE; or one of its own does
// (GradientRows.h).
#ifndef ATTN_CONVERSION_ATTNTOFLASH_FLASHBACKWARD_H
#define ATTN_CONVERSION_ATTNTOFLASH_FLASHBACKWARD_H

#include "Visits.h"

#include "attn/Conversion/CaptureSums.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"

namespace mlir::attn {

/// The arguments of a backward kernel: strided memory of run-time size; and
/// what its mask says.
struct BackwardOperands {
  MaskLogic &logic;
  Value query, key, value, gradOut, statistics;
  ValueRange captures;
  /// Of the kernel that owns queries.
  Value out, lse, gradLse, gradQuery; ///< gradLse may be null
  /// Of a kernel that owns keys: one of them may be null.
  Value gradKey, gradValue;
  /// Where all gradients are made in one pass.
  Value gradQuerySum;
  /// For a mask whose visited tiles are not one run.
  std::optional<TileListOperands> lists;
  /// Gradients of captures that this kernel sums, and their row sums; or slots,
  /// in the kernel that is there for its only sum.
  SmallVector<const CaptureSum *> sums;
  SmallVector<Value> sumMemory;
};

/// Emits everything but the return at the builder's insertion point, for the
/// kernel of `schedule`, which says what it owns. The mod of `op` stands alone.
/// Weights and gradients are rounded to the element type for their products if
/// `rounds`.
void buildFlashBackward(ImplicitLocOpBuilder &builder, AttentionBackwardOp op,
                        ScheduleAttr schedule, const BackwardOperands &operands,
                        bool rounds);

/// The same for the kernel that goes over all pairs for its only sum, which no
/// other kernel carries. Slots that are left over are not written.
void buildCapturePairs(ImplicitLocOpBuilder &builder, AttentionBackwardOp op,
                       ScheduleAttr schedule, const BackwardOperands &operands);

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_FLASHBACKWARD_H
