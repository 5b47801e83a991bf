// Gradients on the CPU: two kernels, one after the other, tasks on all cores.
#include "CPUCode.h"
#include "CaptureViews.h"
#include "GradientImpl.h"
#include "HostMemory.h"
#include "KernelModule.h"
#include "ModImpl.h"
#include "TilesImpl.h"

#include "attn/Support/Try.h"

#include <cstdlib>

using namespace attn;

namespace {
struct Code {
  std::shared_ptr<const Jit> jit; ///< that owns the kernels
  TaskFunction ofQueries, ofKeys;
  std::string schedule;
  int64_t queryTile, keyTile;
};

struct CPUGradients : public GradientKernel::Impl {
  explicit CPUGradients(const Mod &mod) : mod(mod) {}

  Result<void> run(const GradientArguments &arguments,
                   Bindings &bindings) const override;
  Result<std::shared_ptr<void>> allocate(int64_t bytes, void *) const override {
    return std::shared_ptr<void>(std::malloc(static_cast<size_t>(bytes)),
                                 std::free);
  }
  Result<void> writeZeros(const TensorView &view, void *) const override {
    attn::writeZeros(view);
    return {};
  }
  Result<bool> isCapturing(void *) const override { return false; }
  Result<const Code *> codeFor(bool stridedCaptures) const;

  Mod mod;
  mutable std::mutex mutex;
  mutable std::optional<Code> codes[2];
};
} // namespace

/// The caller holds the mod's mutex.
static Result<Code> compileCode(const Mod &mod, const KernelSpec &spec,
                                bool stridedCaptures) {
  ATTN_TRY_ASSIGN(KernelModule kernel, buildGradientModule(mod, spec, "cpu"));
  ATTN_TRY(lowerForHost(mod, *kernel.module, stridedCaptures));
  std::string queries = KernelModule::gradQueryFunction,
              keys = KernelModule::gradKeyFunction;
  ATTN_TRY_ASSIGN(auto jit,
                  Jit::compile(*kernel.module, {queries, queries + "_tasks",
                                                keys, keys + "_tasks"}));
  auto entry = [&](const std::string &name, size_t first) {
    return TaskFunction{signatureIn(*kernel.module, name), jit->function(first),
                        jit->function(first + 1)};
  };
  return Code{jit,
              entry(queries, 0),
              entry(keys, 2),
              kernel.schedule,
              kernel.queryTile,
              kernel.keyTile};
}

Result<const Code *> CPUGradients::codeFor(bool stridedCaptures) const {
  std::lock_guard<std::mutex> lock(mutex);
  std::optional<Code> &code = codes[stridedCaptures];
  if (!code) {
    std::lock_guard<std::mutex> modLock(mod.impl().mutex);
    ATTN_TRY_ASSIGN(code, compileCode(mod, spec, stridedCaptures));
  }
  return &*code;
}

Result<void> CPUGradients::run(const GradientArguments &a,
                               Bindings &bindings) const {
  bool strided = spec.stridedCaptures || !haveUnitStrides(a.captures);
  ATTN_TRY_ASSIGN(const Code *code, codeFor(strided));
  ATTN_TRY_ASSIGN(GradientTiles tiles, tilesFor(*this, finders, a));
  if (tiles.ofQueries)
    tiles.ofQueries.impl().arguments.bind(bindings);
  ATTN_TRY(runTasks(code->ofQueries, bindings));
  if (tiles.ofKeys)
    tiles.ofKeys.impl().arguments.bind(bindings);
  return runTasks(code->ofKeys, bindings);
}

GradientImpl attn::createCPUGradients(const Mod &mod, const KernelSpec &spec) {
  auto impl = std::make_shared<CPUGradients>(mod);
  impl->spec = spec;
  std::unique_lock<std::mutex> lock(mod.impl().mutex);
  ATTN_TRY_ASSIGN(Code code, compileCode(mod, spec, spec.stridedCaptures));
  lock.unlock();
  impl->schedule = code.schedule;
  impl->wholeQueries = code.queryTile;
  KernelEntry queries, keys;
  queries.signature = code.ofQueries.signature;
  keys.signature = code.ofKeys.signature;
  for (KernelEntry *entry : {&queries, &keys})
    entry->queryTile = code.queryTile, entry->keyTile = code.keyTile;
  ATTN_TRY_ASSIGN(impl->finders, GradientTileFinders::compile(mod, Target::CPU,
                                                              queries, keys));
  impl->codes[spec.stridedCaptures] = std::move(code);
  return std::shared_ptr<GradientKernel::Impl>(impl);
}
