// Kernels in flash form as code of the host: what all of the CPU's kernels
// share.
#ifndef ATTN_LIB_API_CPUCODE_H
#define ATTN_LIB_API_CPUCODE_H

#include "attn/API/Attention.h"
#include "attn/Runtime/LoadedCPUKernel.h"

#include "mlir/IR/BuiltinOps.h"

#include <vector>

namespace attn {

/// Lowers `module`, of kernels of `mod`, to the llvm dialect for this host. The
/// caller holds the mod's mutex.
Result<void> lowerForHost(const Mod &mod, mlir::ModuleOp module);

/// Compiles all kernels of a lowered module, in its order, for this host. The
/// caller holds the mod's mutex. Errors: those of Jit.
Result<std::vector<cpu::LoadedKernel>> compileKernels(const Mod &mod,
                                                      mlir::ModuleOp module);

} // namespace attn

#endif // ATTN_LIB_API_CPUCODE_H
