// See EmitPTX.h.
#include "attn/Target/PTX/EmitPTX.h"

#include "WidenToggles.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Target/LLVMIR/ModuleTranslation.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Triple.h"

using namespace mlir;

static std::unique_ptr<llvm::TargetMachine>
createTargetMachine(NVVM::NVVMTargetAttr chip, std::string &error) {
  static const bool initialized = [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
    return true;
  }();
  (void)initialized;
  llvm::Triple triple(chip.getTriple());
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target || !triple.isNVPTX())
    return nullptr;
  std::unique_ptr<llvm::MCSubtargetInfo> chips(
      target->createMCSubtargetInfo(triple, "", ""));
  if (!chips->isCPUStringValid(chip.getChip())) {
    error =
        ("expects a chip such as sm_80, got '" + chip.getChip() + "'").str();
    return nullptr;
  }
  llvm::TargetOptions targetOptions;
  targetOptions.AllowFPOpFusion = llvm::FPOpFusion::Standard;
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      triple, chip.getChip(), chip.getFeatures(), targetOptions,
      /*RM=*/std::nullopt, /*CM=*/std::nullopt,
      llvm::CodeGenOptLevel::Aggressive));
}

static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager callGraph;
  llvm::ModuleAnalysisManager modules;
  llvm::PipelineTuningOptions tuning;
  // The kernels are unrolled as their schedule says; more would spill.
  tuning.LoopUnrolling = false;
  tuning.LoopVectorization = false;
  tuning.SLPVectorization = false;
  llvm::PassBuilder builder(&machine, tuning);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(callGraph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, callGraph, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3)
      .run(module, modules);
  mlir::attn::widenToggles(module);
}

/// The one NVIDIA chip that `module` is for; null after a diagnostic.
static NVVM::NVVMTargetAttr targetOf(gpu::GPUModuleOp module) {
  NVVM::NVVMTargetAttr found;
  size_t count = 0;
  if (ArrayAttr targets = module.getTargetsAttr())
    for (Attribute target : targets)
      if (auto chip = dyn_cast<NVVM::NVVMTargetAttr>(target))
        found = chip, ++count;
  if (count == 1)
    return found;
  module.emitOpError() << "expects one target such as "
                          "#nvvm.target<chip = \"sm_80\">, got "
                       << count;
  return nullptr;
}

/// Has copies of 16 bytes fetch lines of 128: neighbours copy the rest of them
/// anyway (2% of a kernel that does nothing but read, on an H200). LLVM has no
/// intrinsic for it.
static void fetchLines(std::string &ptx) {
  constexpr StringRef copy = "cp.async.cg.shared.global", hint = ".L2::128B";
  for (size_t at = 0; (at = ptx.find(copy, at)) != std::string::npos;) {
    at += copy.size();
    if (ptx[at] != '.') // our own text has it
      ptx.insert(at, hint);
  }
}

FailureOr<std::string> mlir::attn::emitPTX(gpu::GPUModuleOp module) {
  NVVM::NVVMTargetAttr target = targetOf(module);
  if (!target)
    return failure();
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> llvmModule = translateModuleToLLVMIR(
      module, context, module.getName(), /*disableVerification=*/true);
  if (!llvmModule)
    return module.emitOpError() << "cannot be translated to LLVM IR";
  std::string error;
  std::unique_ptr<llvm::TargetMachine> machine =
      createTargetMachine(target, error);
  if (!machine)
    return module.emitOpError() << "cannot be compiled: " << error;
  llvmModule->setTargetTriple(machine->getTargetTriple());
  llvmModule->setDataLayout(machine->createDataLayout());
  optimize(*llvmModule, *machine);

  llvm::SmallString<0> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager codegen;
  if (machine->addPassesToEmitFile(codegen, stream, nullptr,
                                   llvm::CodeGenFileType::AssemblyFile))
    return module.emitOpError() << "cannot be emitted as PTX";
  codegen.run(*llvmModule);
  std::string ptx(text);
  fetchLines(ptx);
  return ptx;
}
