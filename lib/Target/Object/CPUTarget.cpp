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
  // What the linker of just-in-time code takes.
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
  return std::move(result);
}

std::vector<std::string> CPUTarget::missingHere() const {
  llvm::StringMap<bool> host = llvm::sys::getHostCPUFeatures();
  std::vector<std::string> missing;
  for (const auto &feature :
       targetMachine->getMCSubtargetInfo()->getEnabledProcessorFeatures()) {
    // Others, such as those of the operating system, are not what vectors and
    // numbers compile to; how code is tuned is none of a machine's features.
    StringRef name = feature.Key;
    static constexpr const char *prefixes[] = {
        "avx", "amx", "bmi", "f16c", "fma", "lzcnt", "popcnt", "sse", "ssse"};
    bool computes = llvm::any_of(
        prefixes, [&](const char *prefix) { return name.starts_with(prefix); });
    auto known = host.find(name);
    if (computes && known != host.end() && !known->second)
      missing.push_back(name.str());
  }
  return missing;
}
