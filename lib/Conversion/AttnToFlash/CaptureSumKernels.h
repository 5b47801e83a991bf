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

/// Emits the body of `@X_grad_sum_i`, which adds what is in the workspace of
/// `sum` to `gradient`, the elements of the capture in one dimension.
void buildCaptureSum(ImplicitLocOpBuilder &builder, AttentionBackwardOp op,
                     const CaptureSum &sum, ValueRange captures,
                     Value workspace, Value gradient);

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_CAPTURESUMKERNELS_H
