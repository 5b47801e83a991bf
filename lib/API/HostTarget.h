// The processor that code of this process is made for.
#ifndef ATTN_LIB_API_HOSTTARGET_H
#define ATTN_LIB_API_HOSTTARGET_H

#include "attn/API/Result.h"
#include "attn/Target/Object/EmitObject.h"

namespace attn {

/// This machine's; another CPU, whose features this machine has, where the
/// environment says so (ATTN_CPU, a name of LLVM's). Errors: a name that LLVM
/// does not know, a CPU whose code does not run here.
Result<mlir::attn::CPUTarget> hostTarget();

/// f32 elements of its vector registers.
Result<int64_t> hostLanes();

} // namespace attn

#endif // ATTN_LIB_API_HOSTTARGET_H
