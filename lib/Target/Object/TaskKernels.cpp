// What a launch must know of a CPU's kernels, in an image or in the process.
// See EmitObject.h.
#include "attn/Dialect/Attn/IR/KernelSignature.h"
#include "attn/Target/KernelEntry.h"
#include "attn/Target/Object/EmitObject.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace mlir::attn;
using ::attn::KernelEntry;

FailureOr<std::vector<KernelEntry>>
mlir::attn::describeTaskKernels(ModuleOp module) {
  std::vector<KernelEntry> entries;
  for (auto function : module.getOps<LLVM::LLVMFuncOp>()) {
    // C interfaces have the attributes of their functions.
    if (!function->hasAttr("attn.kernel") ||
        function.getName().starts_with("_mlir_ciface_"))
      continue;
    FailureOr<KernelEntry> entry = describeKernel(function);
    if (failed(entry))
      return failure();
    auto count = function->getAttrOfType<FlatSymbolRefAttr>(taskCountName);
    if (!count)
      return function.emitOpError()
             << "expects a kernel that does one task, and the function that "
                "counts its tasks";
    entry->taskCount = count.getValue().str();
    entries.push_back(std::move(*entry));
  }
  return entries;
}
