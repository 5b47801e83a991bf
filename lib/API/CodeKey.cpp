// See CodeKey.h.
#include "CodeKey.h"

#include "attn/Dialect/Attn/IR/AttnDialect.h"

#include "mlir/IR/OwningOpRef.h"
#include "mlir/IR/SymbolTable.h"

#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

using namespace attn;

std::string attn::keyOf(mlir::ModuleOp module) {
  mlir::OwningOpRef<mlir::ModuleOp> copy = module.clone();
  mlir::SymbolTable symbols(*copy);
  for (auto mod : llvm::make_early_inc_range(copy->getOps<mlir::attn::ModOp>()))
    // What cannot be renamed keeps its name: its code is found less often.
    (void)symbols.rename(mod, "mod");
  std::string text;
  llvm::raw_string_ostream stream(text);
  // The generic form has every attribute, and no names of values.
  copy->print(stream, mlir::OpPrintingFlags().printGenericOpForm());
  return text;
}

std::string attn::keyOf(const mlir::attn::CPUTarget &cpu) {
  const llvm::TargetMachine &machine = cpu.machine();
  return machine.getTargetTriple().str() + " " + machine.getTargetCPU().str() +
         " " + machine.getTargetFeatureString().str() +
         // Which the system may let one process use and another not.
         (cpu.hasMatrixUnits() ? " with matrix units" : "");
}
