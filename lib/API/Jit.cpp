// Loads what Target/Object generates for this processor.
#include "Jit.h"

#include "attn/Runtime/CPUFeatures.h"
#include "attn/Runtime/KernelImage.h"
#include "attn/Support/Try.h"
#include "attn/Target/Object/EmitObject.h"

#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Target/TargetMachine.h"

#include <cstdlib>

using namespace attn;
using llvm::orc::JITTargetMachineBuilder;
using mlir::attn::CPUTarget;

Jit::Jit() = default;
Jit::~Jit() = default;

static std::string text(llvm::Error error) {
  return llvm::toString(std::move(error));
}

/// What all code of this process is made for.
static Result<CPUTarget> createTarget() {
  const char *name = std::getenv("ATTN_CPU");
  llvm::Expected<CPUTarget> target = CPUTarget::create(name ? name : "");
  if (!target)
    return Error{(name ? "ATTN_CPU: " : "") + text(target.takeError())};
  std::vector<std::string> missing;
  if (name)
    missing = cpu::missingFeatures(target->features());
  if (!missing.empty())
    return Error{std::string("ATTN_CPU: expects a CPU whose code runs here, "
                             "got '") +
                 name + "', which has " + missing.front()};
  return std::move(*target);
}

Result<HostVectors> attn::hostVectors() {
  static const Result<HostVectors> vectors = []() -> Result<HostVectors> {
    ATTN_TRY_ASSIGN(CPUTarget target, createTarget());
    return HostVectors{target.lanes(), target.registers()};
  }();
  return vectors;
}

Result<std::shared_ptr<const Jit>>
Jit::compile(mlir::ModuleOp module, const std::vector<std::string> &names) {
  ATTN_TRY_ASSIGN(CPUTarget target, createTarget());
  auto object = mlir::attn::emitObject(module, names, target);
  if (!object)
    return Error{text(object.takeError())};

  JITTargetMachineBuilder here(target.machine().getTargetTriple());
  auto engine = llvm::orc::LLJITBuilder()
                    .setJITTargetMachineBuilder(std::move(here))
                    .create();
  if (!engine)
    return Error{text(engine.takeError())};
  std::shared_ptr<Jit> jit(new Jit());
  jit->engine = std::move(*engine);
  if (llvm::Error error = jit->engine->addObjectFile(std::move(*object)))
    return Error{text(std::move(error))};
  for (const std::string &name : names) {
    auto address = jit->engine->lookup(packedName(name));
    if (!address)
      return Error{text(address.takeError())};
    jit->functions.push_back(address->toPtr<PackedFunction>());
  }
  return std::shared_ptr<const Jit>(std::move(jit));
}
