// See CPUCode.h.
#include "CPUCode.h"

#include "Jit.h"
#include "ModImpl.h"

#include "attn/Pipelines/CPU.h"
#include "attn/Support/Try.h"
#include "attn/Target/Object/EmitObject.h"

#include "mlir/Pass/PassManager.h"

using namespace attn;

Result<void> attn::lowerForHost(const Mod &mod, mlir::ModuleOp module) {
  ATTN_TRY_ASSIGN(HostVectors vectors, hostVectors());
  return mod.impl().collect("cannot be compiled", [&] {
    mlir::PassManager pm(&mod.impl().context);
    mlir::attn::CPUPipelineOptions options;
    options.lanes = vectors.lanes;
    options.registers = vectors.registers;
    mlir::attn::buildCPUPipeline(pm, options);
    return pm.run(module);
  });
}

Result<std::vector<cpu::LoadedKernel>>
attn::compileKernels(const Mod &mod, mlir::ModuleOp module) {
  std::vector<KernelEntry> entries;
  ATTN_TRY(mod.impl().collect("cannot be compiled", [&] {
    auto described = mlir::attn::describeTaskKernels(module);
    if (mlir::succeeded(described))
      entries = std::move(*described);
    return described;
  }));
  std::vector<std::string> names;
  for (const KernelEntry &entry : entries) {
    names.push_back(entry.name);
    names.push_back(entry.taskCount);
  }
  ATTN_TRY_ASSIGN(auto jit, Jit::compile(module, names));
  std::vector<cpu::LoadedKernel> kernels;
  for (size_t i = 0; i < entries.size(); ++i)
    kernels.emplace_back(entries[i], jit->function(2 * i),
                         jit->function(2 * i + 1), jit);
  return kernels;
}
