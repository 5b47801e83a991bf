// See CPUCode.h.
#include "CPUCode.h"

#include "HostMemory.h"
#include "ModImpl.h"

#include "attn/Pipelines/CPU.h"
#include "attn/Support/Try.h"

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

Result<void> attn::runTasks(const TaskFunction &function, Bindings &bindings) {
  ATTN_TRY_ASSIGN(TaskCall call, TaskCall::bind(function.signature, bindings));
  int64_t tasks = 0;
  function.count(call.argumentsOfCount(tasks).data());
  hostThreads().run(tasks, [&](int64_t task, unsigned) {
    function.compute(call.argumentsOf(task).data());
  });
  return {};
}
