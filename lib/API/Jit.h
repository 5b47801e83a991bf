// Machine code for this processor from a module in the llvm dialect.
#ifndef ATTN_LIB_API_JIT_H
#define ATTN_LIB_API_JIT_H

#include "attn/API/Result.h"
#include "attn/Runtime/TaskCall.h"

#include "mlir/IR/BuiltinOps.h"

#include <memory>
#include <string>
#include <vector>

namespace llvm::orc {
class LLJIT;
} // namespace llvm::orc

namespace attn {

/// What the compiler must know of the processor that code is for.
struct HostVectors {
  int64_t lanes;     ///< f32 elements of a vector register
  int64_t registers; ///< number of vector registers
};

/// Of this machine; of another CPU, whose features this machine has, where the
/// environment says so (ATTN_CPU, a name of LLVM's). Errors: a name that LLVM
/// does not know, a CPU whose code does not run here.
Result<HostVectors> hostVectors();

/// Loaded code; functions stay valid as long as it lives.
class Jit {
public:
  /// Compiles `module`, whose functions `names` have C interfaces
  /// (llvm.emit_c_interface). Errors: a symbol that is nowhere; those of
  /// hostVectors.
  static Result<std::shared_ptr<const Jit>>
  compile(mlir::ModuleOp module, const std::vector<std::string> &names);
  ~Jit();

  /// The function `names[i]`.
  PackedFunction function(size_t i) const { return functions[i]; }

private:
  Jit();
  std::unique_ptr<llvm::orc::LLJIT> engine;
  std::vector<PackedFunction> functions;
};

} // namespace attn

#endif // ATTN_LIB_API_JIT_H
