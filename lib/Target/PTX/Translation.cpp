// attn-translate --attn-to-ptx.
#include "attn/InitAll.h"
#include "attn/Target/PTX/EmitPTX.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Tools/mlir-translate/Translation.h"
#include "llvm/Support/CommandLine.h"

using namespace mlir;

void attn::registerToPTXTranslation() {
  static llvm::cl::opt<std::string> chip(
      "chip", llvm::cl::desc("the GPU that the PTX is for"),
      llvm::cl::init(PTXOptions().chip));
  static llvm::cl::opt<std::string> features(
      "features", llvm::cl::desc("what else the PTX may use, such as +ptx86"),
      llvm::cl::init(PTXOptions().features));
  TranslateFromMLIRRegistration(
      "attn-to-ptx", "PTX of the gpu.modules that attn-gpu-pipeline made",
      [](ModuleOp module, raw_ostream &output) -> LogicalResult {
        PTXOptions options;
        options.chip = chip;
        options.features = features;
        auto kernels = module.getOps<gpu::GPUModuleOp>();
        if (kernels.empty())
          return module.emitError() << "expects a gpu.module";
        for (gpu::GPUModuleOp kernel : kernels) {
          FailureOr<std::string> ptx = emitPTX(kernel, options);
          if (failed(ptx))
            return failure();
          output << *ptx;
        }
        return success();
      },
      [](DialectRegistry &registry) { registerAllDialects(registry); });
}
