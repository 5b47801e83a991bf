// Kernels in flash form as code of the host: what all of the CPU's kernels
// share.
#ifndef ATTN_LIB_API_CPUCODE_H
#define ATTN_LIB_API_CPUCODE_H

#include "Jit.h"
#include "attn/API/Attention.h"
#include "attn/Runtime/Signature.h"

#include "mlir/IR/BuiltinOps.h"

namespace attn {

/// Lowers `module`, of kernels of `mod`, to the llvm dialect for this host. The
/// caller holds the mod's mutex.
Result<void> lowerForHost(const Mod &mod, mlir::ModuleOp module);

/// A kernel that does one task, and the function that counts its tasks.
struct TaskFunction {
  Signature signature;
  Jit::Function compute, count;
};

/// Runs all tasks on all cores. Errors: those of BoundParameters.
Result<void> runTasks(const TaskFunction &function, Bindings &bindings);

} // namespace attn

#endif // ATTN_LIB_API_CPUCODE_H
