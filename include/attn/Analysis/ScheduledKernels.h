// The kernels that a GPU has for an operation with schedules, before there is
// any of them.
#ifndef ATTN_ANALYSIS_SCHEDULEDKERNELS_H
#define ATTN_ANALYSIS_SCHEDULEDKERNELS_H

#include "attn/Analysis/ScheduleCost.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"

namespace mlir::attn {

struct ScheduledKernel {
  llvm::StringRef suffix; ///< of its name, behind that of the function
  KernelShape shape;
  Schedule schedule;
};

/// That of the schedule that `op` has, or none.
llvm::SmallVector<ScheduledKernel> scheduledKernels(AttentionOp op);

/// One for each schedule that `op` has, but for those that make gradients of
/// captures: one stands for all of them. Small kernels that hold no tiles,
/// which sum these, are not among them.
llvm::SmallVector<ScheduledKernel> scheduledKernels(AttentionBackwardOp op);

/// What `op` has with the schedules of `variant`.
llvm::SmallVector<ScheduledKernel> scheduledKernels(AttentionOp op,
                                                    VariantAttr variant);
llvm::SmallVector<ScheduledKernel> scheduledKernels(AttentionBackwardOp op,
                                                    VariantAttr variant);

} // namespace mlir::attn

#endif // ATTN_ANALYSIS_SCHEDULEDKERNELS_H
