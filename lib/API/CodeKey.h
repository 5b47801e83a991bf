// What code depends on, as text: two that are equal have the same code.
#ifndef ATTN_LIB_API_CODEKEY_H
#define ATTN_LIB_API_CODEKEY_H

#include "attn/Target/Object/EmitObject.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace attn {

/// All of a module that code is made of: without locations, and without the
/// name of its mod, which says nothing of what the mod does.
std::string keyOf(mlir::ModuleOp module);

/// All of a CPU that code is made for.
std::string keyOf(const mlir::attn::CPUTarget &cpu);

} // namespace attn

#endif // ATTN_LIB_API_CODEKEY_H
