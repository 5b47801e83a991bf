// What becomes a kernel: a function that returns one attention of its
// arguments, or its gradients. `Op` is AttentionOp or AttentionBackwardOp.
#ifndef ATTN_DIALECT_ATTN_IR_KERNELFUNCTION_H
#define ATTN_DIALECT_ATTN_IR_KERNELFUNCTION_H

#include "attn/Dialect/Attn/IR/AttnDialect.h"

namespace mlir::attn {

/// Whether the function around `op` can become a kernel, or functions for one:
/// it holds nothing else, the attention has a schedule, and its mod stands
/// alone. Says at its place what is not so.
template <typename Op> LogicalResult checkKernelFunction(Op op);

/// Whether a function around `op` holds nothing else, and returns the results of
/// `op` of its arguments. Says at its place what is not so.
LogicalResult checkWholeFunction(Operation *op);

/// The roles of the captures of such an attention: those of the arguments, or
/// their numbers in its list where these have none.
template <typename Op> SmallVector<RoleAttr> captureRolesOf(Op op);

} // namespace mlir::attn

#endif // ATTN_DIALECT_ATTN_IR_KERNELFUNCTION_H
