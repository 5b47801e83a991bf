// What becomes a kernel: a function that returns one attention of its
// arguments, or its gradients. `Op` is AttentionOp or AttentionBackwardOp.
#ifndef ATTN_DIALECT_ATTN_IR_KERNELFUNCTION_H
#define ATTN_DIALECT_ATTN_IR_KERNELFUNCTION_H

#include "attn/Dialect/Attn/IR/AttnDialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::attn {

/// The attribute of a function that is called: the kernels that a call runs,
/// one after the other.
inline constexpr llvm::StringLiteral kernelsName = "attn.kernels";

/// Whether `op` stands in a function that holds nothing else, takes its
/// operands as arguments and returns its results.
template <typename Op> bool isKernelFunction(Op op);

/// Whether anything names `func`.
bool isCalled(func::FuncOp func);

/// Whether the function around `op`, which isKernelFunction, can become a
/// declaration whose arguments have roles: it is private, and no operand comes
/// twice.
template <typename Op> bool canBeDeclared(Op op);

/// Erases the function around `op` when `kernels` have been made of it. One
/// that is called becomes a declaration with these `attn.kernels`, whose
/// arguments and results have roles.
template <typename Op>
void replaceByKernels(Op op, ArrayRef<func::FuncOp> kernels);

/// Whether the function around `op` can become a kernel, or functions for one:
/// it isKernelFunction, canBeDeclared if it is called, the attention has a
/// schedule, and its mod stands alone. Says at its place what is not so.
template <typename Op> LogicalResult checkKernelFunction(Op op);

/// Whether a function around `op` holds nothing else, and returns the results of
/// `op` of its arguments. Says at its place what is not so.
LogicalResult checkWholeFunction(Operation *op);

/// The roles of the captures of such an attention: those of the arguments, or
/// their numbers in its list where these have none.
template <typename Op> SmallVector<RoleAttr> captureRolesOf(Op op);

} // namespace mlir::attn

#endif // ATTN_DIALECT_ATTN_IR_KERNELFUNCTION_H
