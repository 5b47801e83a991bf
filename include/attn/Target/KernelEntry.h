// What an image says of a kernel, from its IR.
#ifndef ATTN_TARGET_KERNELENTRY_H
#define ATTN_TARGET_KERNELENTRY_H

#include "attn/Runtime/KernelImage.h"

#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Support/LLVM.h"

namespace mlir::attn {

/// Name, signature, tiles and schedule of a lowered kernel, what all targets
/// have in common. Diagnoses a kernel without a signature
/// (attn-record-signatures), or with other arguments than it says.
FailureOr<::attn::KernelEntry> describeKernel(FunctionOpInterface kernel);

} // namespace mlir::attn

#endif // ATTN_TARGET_KERNELENTRY_H
