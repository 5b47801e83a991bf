// Attention on the CPU: the CPU pipeline, LLVM's JIT, tasks on all cores.
#include "HostMemory.h"
#include "Jit.h"
#include "KernelImpl.h"
#include "KernelModule.h"
#include "ModImpl.h"
#include "TilesImpl.h"

#include "attn/Pipelines/CPU.h"

#include "mlir/Pass/PassManager.h"

using namespace attn;

namespace {
struct CPUKernel : public AttentionKernel::Impl {
  Result<void> run(const KernelArguments &arguments) const override;

  std::shared_ptr<const Jit> jit;
  /// Which of the mod's captures the code takes.
  std::vector<unsigned> usedCaptures;
};
} // namespace

Result<void> CPUKernel::run(const KernelArguments &a) const {
  std::vector<Descriptor> descriptors{Descriptor(a.query), Descriptor(a.key),
                                      Descriptor(a.value)};
  for (unsigned i : usedCaptures)
    if (captures[i].rank)
      descriptors.emplace_back(const_cast<void *>(a.captures[i].data),
                               a.captures[i].sizes);
  descriptors.emplace_back(a.out);
  if (spec.lse)
    descriptors.emplace_back(
        a.lse,
        std::vector<int64_t>(a.query.sizes.begin(), a.query.sizes.begin() + 3));
  TileLists own;
  if (finder) {
    Result<const TileLists *> found = listsFor(*finder, a, own);
    if (!found)
      return Error{found.error()};
    const TileArguments &lists = (*found)->impl().arguments;
    for (const TileArray *array :
         {&lists.order, &lists.firsts, &lists.counts, &lists.tiles})
      descriptors.emplace_back(array->data, array->sizes);
  }
  auto descriptor = descriptors.begin();
  std::vector<void *> arguments;
  for (int i = 0; i < 3; ++i)
    arguments.push_back((descriptor++)->address());
  for (unsigned i : usedCaptures)
    arguments.push_back(captures[i].rank
                            ? (descriptor++)->address()
                            : const_cast<void *>(a.captures[i].data));
  while (descriptor != descriptors.end())
    arguments.push_back((descriptor++)->address());

  int64_t tasks = 0;
  arguments.push_back(&tasks);
  jit->function(1)(arguments.data());
  arguments.pop_back();
  hostThreads().run(tasks, [&](int64_t task, unsigned) {
    std::vector<void *> own = arguments;
    own.push_back(&task);
    jit->function(0)(own.data());
  });
  return {};
}

/// The module as LLVM gets it. The caller holds the mod's mutex.
static Result<KernelModule> lower(const Mod &mod, const KernelSpec &spec) {
  Result<KernelModule> kernel = buildKernelModule(mod, spec, "cpu");
  if (!kernel)
    return kernel;
  Result<void> lowered = mod.impl().collect("cannot be compiled", [&] {
    mlir::PassManager pm(&mod.impl().context);
    mlir::attn::CPUPipelineOptions options;
    options.lanes = hostVectors().lanes;
    options.registers = hostVectors().registers;
    mlir::attn::buildCPUPipeline(pm, options);
    return pm.run(*kernel->module);
  });
  if (!lowered)
    return Error{lowered.error()};
  return kernel;
}

Result<void> attn::checkCPUKernel(const Mod &mod, const KernelSpec &spec) {
  std::lock_guard<std::mutex> lock(mod.impl().mutex);
  Result<KernelModule> kernel = lower(mod, spec);
  return kernel ? Result<void>() : Error{kernel.error()};
}

AttentionImpl attn::createCPUKernel(const Mod &mod, const KernelSpec &spec) {
  std::unique_lock<std::mutex> lock(mod.impl().mutex);
  Result<KernelModule> kernel = lower(mod, spec);
  if (!kernel)
    return Error{kernel.error()};
  std::string name = KernelModule::function;
  auto jit = Jit::compile(*kernel->module, {name, name + "_tasks"});
  if (!jit)
    return Error{jit.error()};
  auto impl = std::make_shared<CPUKernel>();
  impl->jit = *jit;
  impl->usedCaptures = kernel->captures;
  impl->schedule = kernel->schedule;
  impl->queryTile = kernel->queryTile, impl->keyTile = kernel->keyTile;
  if (kernel->needsLists) {
    lock.unlock();
    Result<TileFinder> finder =
        TileFinder::compile(mod, Target::CPU, impl->queryTile, impl->keyTile);
    if (!finder)
      return Error{finder.error()};
    impl->finder = std::move(*finder);
  }
  return std::shared_ptr<AttentionKernel::Impl>(impl);
}
