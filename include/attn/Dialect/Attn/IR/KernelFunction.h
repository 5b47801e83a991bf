// What becomes a kernel: a function that returns one attention of its
// arguments.
#ifndef ATTN_DIALECT_ATTN_IR_KERNELFUNCTION_H
#define ATTN_DIALECT_ATTN_IR_KERNELFUNCTION_H

#include "attn/Dialect/Attn/IR/AttnDialect.h"

namespace mlir::attn {

/// Whether the function around `op` can become a kernel, or functions for one:
/// it holds nothing else, the attention has a schedule, and its mod stands
/// alone. Says at its place what is not so.
LogicalResult checkKernelFunction(AttentionOp op);

/// The roles of the captures of such an attention: those of the arguments, or
/// their numbers in its list where these have none.
SmallVector<RoleAttr> captureRolesOf(AttentionOp op);

} // namespace mlir::attn

#endif // ATTN_DIALECT_ATTN_IR_KERNELFUNCTION_H
