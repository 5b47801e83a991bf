// From a module in the llvm dialect to machine code for a CPU, this machine's
// or another.
#ifndef ATTN_TARGET_OBJECT_EMITOBJECT_H
#define ATTN_TARGET_OBJECT_EMITOBJECT_H

#include "attn/Runtime/KernelImage.h"

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
  /// Whether it multiplies tiles of bf16 (AMX).
  bool hasMatrixUnits() const { return multipliesTiles; }
  /// Code will not ask for them.
  void forgetMatrixUnits() { multipliesTiles = false; }

  /// As LLVM names it.
  std::string name() const;
  /// What generated code may use of it, such as avx512bf16, as LLVM names it
  /// (attn/Runtime/CPUFeatures.h). Matrix units only if it asks for them.
  std::vector<std::string> features(bool withMatrixUnits = true) const;

private:
  CPUTarget();
  std::unique_ptr<llvm::TargetMachine> targetMachine;
  int64_t vectorLanes = 0, vectorRegisters = 0;
  bool multipliesTiles = false;
};

/// Whether the code of `module`, in the llvm dialect, asks for matrix units.
bool usesMatrixUnits(ModuleOp module);

/// The code of `module`, in which each of `functions`, which have C interfaces
/// (llvm.emit_c_interface), has an entry of its packedName. Errors: a
/// function without a C interface, a module that does not translate, code for
/// matrix units that the CPU does not have.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
emitObject(ModuleOp module, ArrayRef<std::string> functions,
           const CPUTarget &target);

/// A shared object of what emitObject made, which needs libraries of the system
/// only (those of C and GCC). The same bytes for the same code. Errors: the
/// code calls something that they do not have; a file cannot be written.
llvm::Expected<std::string> linkObject(StringRef object);

/// What an image says of the kernels of `module` (attn-cpu-pipeline and its
/// fellows), in its order. Diagnoses a kernel without a signature or without a
/// function that counts its tasks.
FailureOr<std::vector<::attn::KernelEntry>>
describeTaskKernels(ModuleOp module);

/// Those kernels with their code, linked. Diagnoses what fails.
FailureOr<::attn::KernelImage> emitImage(ModuleOp module,
                                         const CPUTarget &target);

} // namespace mlir::attn

#endif // ATTN_TARGET_OBJECT_EMITOBJECT_H
