// From a module in the llvm dialect to machine code for a CPU, this machine's
// or another.
#ifndef ATTN_TARGET_OBJECT_EMITOBJECT_H
#define ATTN_TARGET_OBJECT_EMITOBJECT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"

#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

#include <memory>
#include <string>
#include <vector>

namespace llvm {
class TargetMachine;
} // namespace llvm

namespace mlir::attn {

/// A CPU that code is made for.
class CPUTarget {
public:
  /// `cpu`: as LLVM names it, such as sapphirerapids; empty: this machine, with
  /// the features that it has. Errors: a name that LLVM does not know.
  static llvm::Expected<CPUTarget> create(StringRef cpu);
  CPUTarget(CPUTarget &&);
  CPUTarget &operator=(CPUTarget &&);
  ~CPUTarget();

  llvm::TargetMachine &machine() const { return *targetMachine; }
  /// f32 elements of a vector register.
  int64_t lanes() const { return vectorLanes; }
  /// Number of vector registers.
  int64_t registers() const { return vectorRegisters; }

  /// What generated code may use and this machine does not have, such as
  /// avx512bf16; empty: code for this CPU runs here.
  std::vector<std::string> missingHere() const;

private:
  CPUTarget();
  std::unique_ptr<llvm::TargetMachine> targetMachine;
  int64_t vectorLanes = 0, vectorRegisters = 0;
};

/// The code of `module`, in which each of `functions`, which have C interfaces
/// (llvm.emit_c_interface), has an entry `packed_NAME` that takes the addresses
/// of all arguments, and of the result if there is one, in one array. Errors: a
/// function without a C interface, a module that does not translate.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
emitObject(ModuleOp module, ArrayRef<std::string> functions,
           const CPUTarget &target);

/// attn-translate --attn-to-object: of all functions with a C interface.
void registerToObjectTranslation();

} // namespace mlir::attn

#endif // ATTN_TARGET_OBJECT_EMITOBJECT_H
