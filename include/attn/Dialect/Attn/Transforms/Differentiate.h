// The derivative of a mod's score program.
#ifndef ATTN_DIALECT_ATTN_TRANSFORMS_DIFFERENTIATE_H
#define ATTN_DIALECT_ATTN_TRANSFORMS_DIFFERENTIATE_H

#include "attn/Dialect/Attn/IR/AttnDialect.h"

namespace mlir::attn {

/// Gives `mod`, which stands alone and has a score program and no adjoint one,
/// the adjoint program, with the gradients of the captures `wrt` by number.
/// Failure, with an error at the operation: it has no derivative.
LogicalResult addAdjoint(ModOp mod, ArrayRef<int64_t> wrt);

} // namespace mlir::attn

#endif // ATTN_DIALECT_ATTN_TRANSFORMS_DIFFERENTIATE_H
