// How the gradients of captures are summed by the kernels that attn-to-flash
// makes of attn.attention_backward: what a launch must know of them.
//
// What the adjoint program adds for a pair goes to an element of the capture.
// Where that element does not depend on both the query and the key, a kernel
// sums over the other as it visits, which leaves numbers for each batch, head
// and row: `@X_grad_sum_i` takes these to their elements. Otherwise
// `@X_grad_pairs_i` goes over all pairs once more and adds to a copy of the
// capture's gradient in each of some slots, and `@X_grad_sum_i` sums the slots.
// No two tasks add to the same element, so the bits do not depend on their
// order.
//
// With a `capture_schedule` it is always slots that `@X_grad_sum_i` sums. What
// has rows of keys is carried by the kernel of grad_key, and `@X_grad_rows_i`
// takes the numbers of rows to slots. What has rows of queries, which a pass
// that makes all gradients cannot carry, `@X_grad_pairs_i` sums over the keys
// first and adds one number for each row to the slot.
#ifndef ATTN_CONVERSION_CAPTURESUMS_H
#define ATTN_CONVERSION_CAPTURESUMS_H

#include "attn/Analysis/Intervals.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"

namespace mlir::attn {

/// One sum; the number of its workspace is its place among the others.
struct CaptureSum {
  int64_t capture; ///< the number of the capture
  /// The axis that rows are of, if the element depends on one at most.
  std::optional<Axis> rows;
  /// Whether a kernel of gradients that owns `rows` carries their sums beside
  /// these, and writes all of the memory `row_sums`.
  bool isCarried;
  /// Whether there are slots, f32 of (slots, elements of the capture), zero
  /// before: they share the pairs or the rows, and any number will do.
  bool hasSlots;
  /// The positions (a set of Position) that are indices themselves, the same of
  /// all parts: no two of their values have an element in common.
  unsigned owned;
  /// The operations of the adjoint program: with the same indices if there are
  /// rows.
  SmallVector<AccumulateOp> parts;

  /// Of a kernel with the `capture_schedule`: the axis that its tasks own.
  Axis getOwnAxis() const;
  /// Whether what such a kernel adds for different rows of a task's tile goes
  /// to different elements. Else each warp has a copy of the slot.
  bool hasRowsApart() const;
  /// The same of all pairs of a task, or of all rows where there are any.
  bool isDistinct() const;
};

/// The schedule of the kernel that adds for `sum`, of an operation with a
/// `capture_schedule`.
ScheduleAttr captureScheduleOf(AttentionBackwardOp op, const CaptureSum &sum);

/// How many copies of each slot of `sum` there are in memory: one, or one for
/// each warp of that kernel.
int64_t copiesOfSlot(AttentionBackwardOp op, const CaptureSum &sum);

/// What `op` asks for, of a mod that stands alone and has an adjoint program.
/// Its accumulations are moved out of branches first, where they then add
/// zeros. Captures that are not among the sums have gradients of zero: they
/// have no part in the scores, or only add to all scores of a query, which
/// changes no probability, and no gradient of lse is given.
SmallVector<CaptureSum> captureSumsOf(AttentionBackwardOp op);

/// The suffixes of the functions, before the number of the sum.
inline constexpr llvm::StringLiteral gradPairsSuffix = "_grad_pairs_",
                                     gradRowsSuffix = "_grad_rows_",
                                     gradSumSuffix = "_grad_sum_";

} // namespace mlir::attn

#endif // ATTN_CONVERSION_CAPTURESUMS_H
