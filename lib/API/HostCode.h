// Functions of a module in the llvm dialect as code in this process, called one
// by one: what prepares data and materialised scores, where no kernel is run.
#ifndef ATTN_LIB_API_HOSTCODE_H
#define ATTN_LIB_API_HOSTCODE_H

#include "attn/API/Result.h"
#include "attn/Runtime/LoadedObject.h"
#include "attn/Runtime/TaskCall.h"

#include "mlir/IR/BuiltinOps.h"

#include <memory>
#include <string>
#include <vector>

namespace attn {

/// Loaded code; functions stay valid as long as it lives.
class HostCode {
public:
  /// Compiles `module`, whose functions `names` have C interfaces
  /// (llvm.emit_c_interface). Errors: a symbol that is nowhere; those of
  /// hostTarget().
  static Result<std::shared_ptr<const HostCode>>
  compile(mlir::ModuleOp module, const std::vector<std::string> &names);

  /// The function `names[i]`.
  PackedFunction function(size_t i) const { return functions[i]; }

private:
  HostCode() = default;
  std::shared_ptr<const LoadedObject> object;
  std::vector<PackedFunction> functions;
};

} // namespace attn

#endif // ATTN_LIB_API_HOSTCODE_H
