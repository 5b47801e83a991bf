// Finding tiles on the CPU.
#include "TilesImpl.h"

#include "attn/Runtime/LoadedCPUKernel.h"
#include "attn/Support/Try.h"

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

  TileCodeResult load(const KernelImage &image) const override {
    auto code = std::make_shared<CPUTileCode>();
    ATTN_TRY_ASSIGN(code->kernels, cpu::LoadedKernel::load(image));
    return std::shared_ptr<TileCode>(code);
  }
};

} // namespace

std::shared_ptr<TileFinder::Impl> attn::createCPUTileFinder() {
  return std::make_shared<CPUTileFinder>();
}
