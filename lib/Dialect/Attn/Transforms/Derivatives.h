// The derivatives of the operations that a score program may hold.
#ifndef ATTN_LIB_DIALECT_ATTN_TRANSFORMS_DERIVATIVES_H
#define ATTN_LIB_DIALECT_ATTN_TRANSFORMS_DERIVATIVES_H

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/SmallVector.h"

namespace mlir::attn {

/// What the gradient of a result adds to that of an operand, an f32.
using Contribution = std::pair<OpOperand *, Value>;

/// Emits what `gradient` (f32), that of the float `result`, adds to the
/// gradients of its operation's float operands. Steps (floor, sign) and what is
/// no float have none. At a kink the value is the one of docs/Mods.md. Failure:
/// the operation has no rule.
FailureOr<SmallVector<Contribution>>
emitContributions(ImplicitLocOpBuilder &b, OpResult result, Value gradient);

} // namespace mlir::attn

#endif // ATTN_LIB_DIALECT_ATTN_TRANSFORMS_DERIVATIVES_H
