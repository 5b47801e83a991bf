// The last step of gradients of captures (attn/Conversion/CaptureSums.h): what
// the kernels that visit pairs have summed goes to the elements of the capture.
#ifndef ATTN_CONVERSION_ATTNTOFLASH_CAPTURESUMKERNELS_H
#define ATTN_CONVERSION_ATTNTOFLASH_CAPTURESUMKERNELS_H

#include "TileBuilder.h"

#include "attn/Conversion/CaptureSums.h"

namespace mlir::attn {

/// i64, in the body of an elementwise operation: the number of the element to
/// which `part` adds at `indices` (i32), clamped as loads are. `captures` as
/// the kernel holds them.
Value placeOf(TileBuilder &t, AccumulateOp part, ValueRange indices,
              ValueRange captures);

/// Where the rows of a tile lie.
struct RowsAt {
  Value batch, head; ///< i32
  Value first;       ///< index: the position of the first
  Value last;        ///< i32: the last position of their axis
};

/// i64 for each element of `rows`, a vector: the number of the element of the
/// capture to which that row of `sum` adds. Of rows behind the last it may be
/// any.
Value placesOfRows(TileBuilder &t, AttentionBackwardOp op,
                   const CaptureSum &sum, ValueRange captures, Value rows,
                   const RowsAt &at);

/// A unit of what is summed: one tile of rows, or of pairs, of a batch and
/// head.
struct SumUnit {
  Value batch, head, tile; ///< index
  Value slot;              ///< index: the first of its copies in memory
};

/// Emits a task for each slot of `sum` in `slots` and each value of the owned
/// positions: it goes over the units that are not owned of its slot, one after
/// the other. `sizes`: batch, heads, and tiles of `own`. With a
/// `capture_schedule` tasks are for blocks.
void forEachSumUnit(TileBuilder &t, AttentionBackwardOp op,
                    const CaptureSum &sum, Axis own, ArrayRef<Value> sizes,
                    Value slots,
                    llvm::function_ref<void(const SumUnit &)> body);

/// Adds `numbers` to the elements `places` (i64) of the slot at `slot`.
void scatterToSlot(TileBuilder &t, AttentionBackwardOp op,
                   const CaptureSum &sum, Value numbers, Value places,
                   Value slots, Value slot);

/// Emits the body of `@X_grad_rows_i`, of `schedule`, which takes what a row
/// has summed, in `rowSums`, to the elements of the capture in a slot.
void buildCaptureRows(ImplicitLocOpBuilder &builder, AttentionBackwardOp op,
                      const CaptureSum &sum, ScheduleAttr schedule,
                      ValueRange captures, Value rowSums, Value slots);

/// Emits the body of `@X_grad_sum_i`, which adds what is in the workspace of
/// `sum` to `gradient`, the elements of the capture in one dimension. With a
/// `capture_schedule` there is a task for each element, which is for a thread.
void buildCaptureSum(ImplicitLocOpBuilder &builder, AttentionBackwardOp op,
                     const CaptureSum &sum, ValueRange captures,
                     Value workspace, Value gradient);

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_CAPTURESUMKERNELS_H
