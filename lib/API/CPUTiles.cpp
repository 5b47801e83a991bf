// Finding tiles on the CPU.
#include "CPUCode.h"
#include "ModImpl.h"
#include "TilesImpl.h"

#include "attn/Pipelines/CPU.h"
#include "attn/Support/Try.h"

#include "mlir/Pass/PassManager.h"

#include <cstdlib>
#include <cstring>

using namespace attn;

namespace {

struct HostTileMemory final : TileMemory {
  ~HostTileMemory() override { std::free(data); }
};

struct CPUTileCode final : TileCode {
  Result<void> run(size_t number, int64_t tasks, Bindings &bindings,
                   void *) const override {
    return kernels[number].runShort(tasks, bindings);
  }

  std::vector<cpu::LoadedKernel> kernels;
};

struct CPUTileFinder final : TileFinder::Impl {
  using Impl::Impl;

  Result<std::unique_ptr<TileMemory>> allocate(int64_t bytes) const override {
    auto memory = std::make_unique<HostTileMemory>();
    memory->data = std::malloc(bytes);
    memory->bytes = bytes;
    if (!memory->data)
      return Error{"out of memory: " + std::to_string(bytes) +
                   " bytes for lists of tiles"};
    return std::unique_ptr<TileMemory>(std::move(memory));
  }
  Result<void> clear(void *data, int64_t bytes, void *) const override {
    std::memset(data, 0, bytes);
    return {};
  }
  int64_t searchersOf(int64_t) const override { return 1; }
  Result<void> copyToHost(void *to, const void *from, int64_t bytes,
                          void *) const override {
    std::memcpy(to, from, bytes);
    return {};
  }

  TileCodeResult compile(mlir::ModuleOp module, const std::string &functions,
                         const std::vector<std::string> &names) const override {
    Result<void> lowered = mod.impl().collect("cannot be compiled", [&] {
      mlir::PassManager pm(module.getContext());
      mlir::attn::buildCPUTileListsPipeline(pm, functions);
      return pm.run(module);
    });
    ATTN_TRY(lowered);
    ATTN_TRY_ASSIGN(std::vector<cpu::LoadedKernel> compiled,
                    compileKernels(mod, module));
    auto code = std::make_shared<CPUTileCode>();
    for (const std::string &name : names)
      for (const cpu::LoadedKernel &kernel : compiled)
        if (kernel.entry().name == name)
          code->kernels.push_back(kernel);
    return std::shared_ptr<TileCode>(code);
  }
};

} // namespace

std::shared_ptr<TileFinder::Impl> attn::createCPUTileFinder(const Mod &mod) {
  return std::make_shared<CPUTileFinder>(mod);
}
