// attn-translate --attn-to-ptx.
#include "attn/InitAll.h"
#include "attn/Target/PTX/EmitPTX.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Tools/mlir-translate/Translation.h"
#include "llvm/Support/CommandLine.h"

using namespace mlir;

namespace {
/// sm_90a: 90 and whether the code is for that chip only.
struct Chip {
  unsigned number = 0;
  bool only = false;
};
} // namespace

static Chip parseChip(StringRef name) {
  Chip chip;
  name.consume_front("sm_");
  chip.only = name.consume_back("a");
  name.getAsInteger(10, chip.number);
  return chip;
}

/// Whether what was lowered for `from` runs on `to`.
static bool runsOn(StringRef from, StringRef to) {
  Chip made = parseChip(from), wanted = parseChip(to);
  return made.only ? from == to : made.number <= wanted.number;
}

/// Has `kernels` made for `chip` with `features`, where one of them is given.
static LogicalResult retarget(gpu::GPUModuleOp kernels, StringRef chip,
                              StringRef features) {
  if (chip.empty() && features.empty())
    return success();
  StringRef oldChip, oldFeatures;
  if (ArrayAttr targets = kernels.getTargetsAttr())
    for (Attribute target : targets)
      if (auto old = dyn_cast<NVVM::NVVMTargetAttr>(target))
        oldChip = old.getChip(), oldFeatures = old.getFeatures();
  if (chip.empty())
    chip = oldChip;
  if (chip.empty())
    return kernels.emitOpError() << "expects a chip with --features";
  if (!oldChip.empty() && !runsOn(oldChip, chip))
    return kernels.emitOpError() << "expects a chip that runs code for "
                                 << oldChip << ", got '" << chip << "'";
  MLIRContext *context = kernels.getContext();
  context->loadDialect<NVVM::NVVMDialect>();
  auto target = NVVM::NVVMTargetAttr::get(
      context, /*optLevel=*/3, "nvptx64-nvidia-cuda", chip,
      features.empty() ? oldFeatures : features);
  kernels.setTargetsAttr(ArrayAttr::get(context, {target}));
  // Operations that the chip does not have.
  return verify(kernels);
}

void mlir::attn::registerToPTXTranslation() {
  static llvm::cl::opt<std::string> chip(
      "chip", llvm::cl::desc("the GPU that the PTX is for (what the gpu.module "
                             "says)"));
  static llvm::cl::opt<std::string> features(
      "features", llvm::cl::desc("what else the PTX may use, such as +ptx86 "
                                 "(what the gpu.module says)"));
  TranslateFromMLIRRegistration(
      "attn-to-ptx", "PTX of the gpu.modules that attn-gpu-pipeline made",
      [](ModuleOp module, raw_ostream &output) -> LogicalResult {
        auto kernels = module.getOps<gpu::GPUModuleOp>();
        if (kernels.empty())
          return module.emitError() << "expects a gpu.module";
        for (gpu::GPUModuleOp kernel : kernels) {
          if (failed(retarget(kernel, chip, features)))
            return failure();
          FailureOr<std::string> ptx = emitPTX(kernel);
          if (failed(ptx))
            return failure();
          output << *ptx;
        }
        return success();
      },
      [](DialectRegistry &registry) { registerAllDialects(registry); });
  TranslateFromMLIRRegistration(
      "attn-to-image",
      "image of the gpu.module that attn-gpu-pipeline made: PTX with what a "
      "launch must know",
      [](ModuleOp module, raw_ostream &output) -> LogicalResult {
        SmallVector<gpu::GPUModuleOp> kernels(
            module.getOps<gpu::GPUModuleOp>());
        if (kernels.size() != 1)
          return module.emitError()
                 << "expects one gpu.module, got " << kernels.size();
        if (failed(retarget(kernels[0], chip, features)))
          return failure();
        FailureOr<::attn::KernelImage> image = emitImage(kernels[0]);
        if (failed(image))
          return failure();
        output << image->save();
        return success();
      },
      [](DialectRegistry &registry) { registerAllDialects(registry); });
}
