// See Translations.h.
#include "attn/Target/Translations.h"

#include "attn/InitAll.h"
#include "attn/Target/Object/EmitObject.h"
#include "attn/Target/PTX/EmitPTX.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Tools/mlir-translate/Translation.h"
#include "llvm/Support/CommandLine.h"

using namespace mlir;
using namespace mlir::attn;
namespace cl = llvm::cl;

namespace {
struct Options {
  cl::opt<std::string> chip{
      "chip", cl::desc("the GPU that the code is for (what the gpu.module "
                       "says)")};
  cl::opt<std::string> features{
      "features", cl::desc("what else the PTX may use, such as +ptx86 (what "
                           "the gpu.module says)")};
  cl::opt<bool> cubin{"cubin",
                      cl::desc("an image with code of ptxas instead of PTX")};
  cl::opt<std::string> ptxas{
      "ptxas", cl::init("ptxas"),
      cl::desc(
          "the program that makes cubins: a path, or a name on the PATH or "
          "in /usr/local/cuda/bin")};
  cl::opt<std::string> cpu{
      "cpu", cl::desc("the CPU that the code is for, as LLVM names it (this "
                      "machine's)")};
};
} // namespace

static LogicalResult emit(ModuleOp module, llvm::Error error) {
  return module.emitError() << llvm::toString(std::move(error));
}

static LogicalResult writePTX(ModuleOp module, raw_ostream &output,
                              const Options &options) {
  auto kernels = module.getOps<gpu::GPUModuleOp>();
  if (kernels.empty())
    return module.emitError() << "expects a gpu.module";
  for (gpu::GPUModuleOp kernel : kernels) {
    if (failed(retarget(kernel, options.chip, options.features)))
      return failure();
    FailureOr<std::string> ptx = emitPTX(kernel);
    if (failed(ptx))
      return failure();
    output << *ptx;
  }
  return success();
}

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

static LogicalResult writeObject(ModuleOp module, raw_ostream &output,
                                 const Options &options) {
  llvm::Expected<CPUTarget> target = CPUTarget::create(options.cpu);
  if (!target)
    return emit(module, target.takeError());
  std::vector<std::string> names = callableFunctions(module);
  if (names.empty())
    return module.emitError() << "expects a function with a C interface";
  auto object = emitObject(module, names, *target);
  if (!object)
    return emit(module, object.takeError());
  output << (*object)->getBuffer();
  return success();
}

static FailureOr<::attn::KernelImage> imageOf(gpu::GPUModuleOp kernels,
                                              const Options &options) {
  if (failed(retarget(kernels, options.chip, options.features)))
    return failure();
  FailureOr<::attn::KernelImage> image = emitImage(kernels);
  if (succeeded(image) && options.cubin)
    if (llvm::Error error = assembleImage(*image, options.ptxas))
      return kernels.emitOpError() << llvm::toString(std::move(error));
  return image;
}

static FailureOr<::attn::KernelImage> imageOf(ModuleOp module,
                                              const Options &options) {
  llvm::Expected<CPUTarget> target = CPUTarget::create(options.cpu);
  if (!target)
    return emit(module, target.takeError());
  return emitImage(module, *target);
}

static LogicalResult writeImage(ModuleOp module, raw_ostream &output,
                                const Options &options) {
  SmallVector<gpu::GPUModuleOp> ofGPU(module.getOps<gpu::GPUModuleOp>());
  if (ofGPU.size() > 1)
    return module.emitError() << "expects one gpu.module, got " << ofGPU.size();
  bool isForGPU = !ofGPU.empty();
  for (const cl::Option *option :
       {static_cast<const cl::Option *>(&options.chip),
        static_cast<const cl::Option *>(&options.features),
        static_cast<const cl::Option *>(&options.cubin),
        static_cast<const cl::Option *>(&options.cpu)})
    if (option->getNumOccurrences() && isForGPU == (option == &options.cpu))
      return module.emitError()
             << "expects no --" << option->ArgStr << " for kernels of a "
             << (isForGPU ? "GPU" : "CPU");
  FailureOr<::attn::KernelImage> image =
      isForGPU ? imageOf(ofGPU[0], options) : imageOf(module, options);
  if (failed(image))
    return failure();
  output << image->save();
  return success();
}

void mlir::attn::registerTranslations() {
  static Options options;
  auto add = [](StringRef name, StringRef description, auto write) {
    TranslateFromMLIRRegistration(
        name, description,
        [write](ModuleOp module, raw_ostream &output) -> LogicalResult {
          return write(module, output, options);
        },
        [](DialectRegistry &registry) { registerAllDialects(registry); });
  };
  add("attn-to-ptx", "PTX of the gpu.modules that attn-gpu-pipeline made",
      writePTX);
  add("attn-to-object", "machine code of what attn-cpu-pipeline made",
      writeObject);
  add("attn-to-image",
      "image of the kernels that attn-gpu-pipeline or attn-cpu-pipeline made: "
      "code with what a launch must know",
      writeImage);
}
