// attn-translate --attn-to-object.
#include "attn/InitAll.h"
#include "attn/Target/Object/EmitObject.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Tools/mlir-translate/Translation.h"
#include "llvm/Support/CommandLine.h"

using namespace mlir;
using namespace mlir::attn;

/// The functions of `module` that have a C interface.
static std::vector<std::string> callableFunctions(ModuleOp module) {
  std::vector<std::string> names;
  for (auto function : module.getOps<LLVM::LLVMFuncOp>()) {
    StringRef name = function.getName();
    if (name.consume_front("_mlir_ciface_") && !function.isExternal())
      names.push_back(name.str());
  }
  return names;
}

void mlir::attn::registerToObjectTranslation() {
  static llvm::cl::opt<std::string> cpu(
      "cpu", llvm::cl::desc("the CPU that the object is for, as LLVM names it "
                            "(this machine's)"));
  TranslateFromMLIRRegistration(
      "attn-to-object", "machine code of what attn-cpu-pipeline made",
      [](ModuleOp module, raw_ostream &output) -> LogicalResult {
        llvm::Expected<CPUTarget> target = CPUTarget::create(cpu);
        if (!target)
          return module.emitError() << llvm::toString(target.takeError());
        std::vector<std::string> names = callableFunctions(module);
        if (names.empty())
          return module.emitError() << "expects a function with a C interface";
        auto object = emitObject(module, names, *target);
        if (!object)
          return module.emitError() << llvm::toString(object.takeError());
        output << (*object)->getBuffer();
        return success();
      },
      [](DialectRegistry &registry) { registerAllDialects(registry); });
}
