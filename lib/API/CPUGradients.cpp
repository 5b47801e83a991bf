// Gradients on the CPU: two kernels, one after the other, tasks on all cores.
#include "CaptureViews.h"
#include "GradientImpl.h"
#include "HostMemory.h"
#include "Jit.h"
#include "KernelModule.h"
#include "ModImpl.h"
#include "TilesImpl.h"

#include "attn/Pipelines/CPU.h"

#include "mlir/Pass/PassManager.h"

using namespace attn;

namespace {
/// A kernel, and the function that counts its tasks.
struct Entry {
  Signature signature;
  Jit::Function compute, count;
};

struct Code {
  std::shared_ptr<const Jit> jit;
  Entry ofQueries, ofKeys;
};

struct CPUGradients : public GradientKernel::Impl {
  explicit CPUGradients(const Mod &mod) : mod(mod) {}

  Result<void> run(const GradientArguments &arguments,
                   Bindings &bindings) const override;
  Result<const Code *> codeFor(bool stridedCaptures) const;

  Mod mod;
  std::optional<TileFinder> finder; ///< if a kernel needs lists of tiles
  mutable std::mutex mutex;
  mutable std::optional<Code> codes[2];
};
} // namespace

/// The caller holds the mod's mutex.
static Result<Code> compileCode(const Mod &mod, const KernelSpec &spec,
                                bool stridedCaptures,
                                GradientKernel::Impl &impl) {
  Result<HostVectors> vectors = hostVectors();
  if (!vectors)
    return Error{vectors.error()};
  Result<KernelModule> kernel = buildGradientModule(mod, spec, "cpu");
  if (!kernel)
    return Error{kernel.error()};
  Result<void> lowered = mod.impl().collect("cannot be compiled", [&] {
    mlir::PassManager pm(&mod.impl().context);
    mlir::attn::CPUPipelineOptions options;
    options.lanes = vectors->lanes;
    options.registers = vectors->registers;
    options.stridedCaptures = stridedCaptures;
    mlir::attn::buildCPUPipeline(pm, options);
    return pm.run(*kernel->module);
  });
  if (!lowered)
    return Error{lowered.error()};
  impl.schedule = kernel->schedule;
  impl.queryTile = kernel->queryTile, impl.keyTile = kernel->keyTile;
  std::string queries = KernelModule::gradQueryFunction,
              keys = KernelModule::gradKeyFunction;
  auto jit = Jit::compile(*kernel->module, {queries, queries + "_tasks", keys,
                                            keys + "_tasks"});
  if (!jit)
    return Error{jit.error()};
  auto entry = [&](const std::string &name, size_t first) {
    return Entry{signatureIn(*kernel->module, name), (*jit)->function(first),
                 (*jit)->function(first + 1)};
  };
  return Code{*jit, entry(queries, 0), entry(keys, 2)};
}

Result<const Code *> CPUGradients::codeFor(bool stridedCaptures) const {
  std::lock_guard<std::mutex> lock(mutex);
  std::optional<Code> &code = codes[stridedCaptures];
  if (!code) {
    std::lock_guard<std::mutex> modLock(mod.impl().mutex);
    GradientKernel::Impl &self = const_cast<CPUGradients &>(*this);
    Result<Code> compiled = compileCode(mod, spec, stridedCaptures, self);
    if (!compiled)
      return Error{compiled.error()};
    code = std::move(*compiled);
  }
  return &*code;
}

static Result<void> runEntry(const Entry &entry, Bindings &bindings) {
  Result<TaskCall> call = TaskCall::bind(entry.signature, bindings);
  if (!call)
    return Error{call.error()};
  int64_t tasks = 0;
  entry.count(call->argumentsOfCount(tasks).data());
  hostThreads().run(tasks, [&](int64_t task, unsigned) {
    entry.compute(call->argumentsOf(task).data());
  });
  return {};
}

Result<void> CPUGradients::run(const GradientArguments &a,
                               Bindings &bindings) const {
  Result<const Code *> code =
      codeFor(spec.stridedCaptures || !haveUnitStrides(a.captures));
  if (!code)
    return Error{code.error()};
  TileLists lists, transposed;
  if (finder) {
    ProblemSizes sizes;
    sizes.batch = a.query.sizes[0], sizes.heads = a.query.sizes[1];
    sizes.queries = a.query.sizes[2], sizes.keys = a.key.sizes[2];
    Result<TileLists> found = finder->find(sizes, a.captures);
    if (!found)
      return Error{found.error()};
    lists = *found;
    found = finder->transpose(lists);
    if (!found)
      return Error{found.error()};
    transposed = *found;
    lists.impl().arguments.bind(bindings);
  }
  if (Result<void> done = runEntry((*code)->ofQueries, bindings); !done)
    return done;
  if (finder)
    transposed.impl().arguments.bind(bindings);
  return runEntry((*code)->ofKeys, bindings);
}

GradientImpl attn::createCPUGradients(const Mod &mod, const KernelSpec &spec) {
  auto impl = std::make_shared<CPUGradients>(mod);
  impl->spec = spec;
  std::unique_lock<std::mutex> lock(mod.impl().mutex);
  Result<Code> code = compileCode(mod, spec, spec.stridedCaptures, *impl);
  if (!code)
    return Error{code.error()};
  bool needsLists = takes(code->ofQueries.signature, Role::ListOrder) ||
                    takes(code->ofKeys.signature, Role::ListOrder);
  impl->codes[spec.stridedCaptures] = std::move(*code);
  if (needsLists) {
    lock.unlock();
    Result<TileFinder> finder =
        TileFinder::compile(mod, Target::CPU, impl->queryTile, impl->keyTile);
    if (!finder)
      return Error{finder.error()};
    impl->finder = std::move(*finder);
  }
  return std::shared_ptr<GradientKernel::Impl>(impl);
}
