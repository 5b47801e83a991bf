// The CPUs that code can be made for, by LLVM's names, and how wide their
// vectors are. See EmitObject.h.
#include "attn/Target/Object/EmitObject.h"

#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/TargetParser/Host.h"

using namespace mlir;
using namespace mlir::attn;
using llvm::orc::JITTargetMachineBuilder;

CPUTarget::CPUTarget() = default;
CPUTarget::CPUTarget(CPUTarget &&) = default;
CPUTarget &CPUTarget::operator=(CPUTarget &&) = default;
CPUTarget::~CPUTarget() = default;

static void initializeNative() {
  static const bool initialized = [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    return true;
  }();
  (void)initialized;
}

/// Whether `cpu` has the feature of that name, which is none on other
/// architectures.
static bool has(const llvm::MCSubtargetInfo &cpu, StringRef feature) {
  return llvm::any_of(cpu.getEnabledProcessorFeatures(),
                      [&](const auto &known) { return feature == known.Key; });
}

llvm::Expected<CPUTarget> CPUTarget::create(StringRef cpu) {
  initializeNative();
  auto builder = JITTargetMachineBuilder::detectHost();
  if (!builder)
    return builder.takeError();
  if (!cpu.empty()) {
    builder->setCPU(cpu.str());
    builder->getFeatures() = llvm::SubtargetFeatures();
    std::string error;
    const llvm::Target *target =
        llvm::TargetRegistry::lookupTarget(builder->getTargetTriple(), error);
    std::unique_ptr<llvm::MCSubtargetInfo> names;
    if (target)
      names.reset(
          target->createMCSubtargetInfo(builder->getTargetTriple(), "", ""));
    if (!names || !names->isCPUStringValid(cpu))
      return llvm::createStringError(
          llvm::inconvertibleErrorCode(),
          "expects the name of a CPU such as x86-64-v3, got '" + cpu + "'");
  }
  // What shared objects are made of.
  builder->setRelocationModel(llvm::Reloc::PIC_);
  builder->setCodeModel(llvm::CodeModel::Small);
  builder->setCodeGenOptLevel(llvm::CodeGenOptLevel::Default);
  auto machine = builder->createTargetMachine();
  if (!machine)
    return machine.takeError();
  CPUTarget result;
  result.targetMachine = std::move(*machine);
  const llvm::MCSubtargetInfo &features =
      *result.targetMachine->getMCSubtargetInfo();
  bool wide = has(features, "avx512f");
  result.vectorLanes = wide ? 16 : has(features, "avx2") ? 8 : 4;
  result.vectorRegisters = wide || has(features, "neon") ? 32 : 16;
  result.multipliesTiles = wide && has(features, "amx-bf16");
  return std::move(result);
}

std::string CPUTarget::name() const {
  return targetMachine->getTargetCPU().str();
}

/// Whether the code that LLVM makes of numbers and vectors may use the feature.
/// Others are the operating system's, are for instructions of which there are
/// intrinsics only (as those on matrices), or say how code is tuned.
static bool computes(StringRef feature) {
  static constexpr const char *prefixes[] = {"avx",  "bmi",   "f16c",  "fma",
                                             "gfni", "lzcnt", "movbe", "popcnt",
                                             "sse",  "ssse",  "tbm",   "xop"};
  // Those of APX.
  static constexpr const char *names[] = {"egpr", "ppx", "push2pop2", "ndd",
                                          "ccmp", "nf",  "cf",        "zu"};
  return feature != "sse-unaligned-mem" &&
         (llvm::any_of(prefixes,
                       [&](const char *prefix) {
                         return feature.starts_with(prefix);
                       }) ||
          llvm::is_contained(names, feature));
}

std::vector<std::string> CPUTarget::features(bool withMatrixUnits) const {
  std::vector<std::string> names;
  for (const auto &feature :
       targetMachine->getMCSubtargetInfo()->getEnabledProcessorFeatures())
    if (computes(feature.Key))
      names.push_back(feature.Key);
  if (multipliesTiles && withMatrixUnits)
    names.insert(names.end(), {"amx-tile", "amx-bf16"});
  return names;
}
