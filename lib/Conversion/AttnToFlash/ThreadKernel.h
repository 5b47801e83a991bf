// Kernels whose tasks are for a thread each, which do a piece of a row: what is
// around an attention, and has no tiles.
#ifndef ATTN_CONVERSION_ATTNTOFLASH_THREADKERNEL_H
#define ATTN_CONVERSION_ATTNTOFLASH_THREADKERNEL_H

#include "attn/Dialect/Attn/IR/AttnDialect.h"
#include "attn/Dialect/Attn/IR/KernelSignature.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::attn {

/// How many threads a block of a GPU has; there are no tiles to decide about.
ScheduleAttr threadSchedule(MLIRContext *context);

/// Makes a kernel with these parameters, before the function around `op` and of
/// the same name.
func::FuncOp createThreadKernel(Operation *op, const ParameterList &parameters);

/// A loop over the products of `sizes` (index), a task for a thread
/// each; `body` gets the number in each dimension, of which the last is the
/// fastest.
void forEachThread(ImplicitLocOpBuilder &builder, ValueRange sizes,
                   llvm::function_ref<void(ValueRange numbers)> body);

} // namespace mlir::attn

#endif // ATTN_CONVERSION_ATTNTOFLASH_THREADKERNEL_H
