// Finding tiles on NVIDIA GPUs.
#include "CUDALaunch.h"
#include "TilesImpl.h"

#include "attn/Runtime/LoadedKernel.h"
#include "attn/Support/Try.h"

using namespace attn;

namespace {

struct DeviceTileMemory final : TileMemory {
  cuda::Buffer buffer;
};

struct CUDATileCode final : TileCode {
  Result<void> run(size_t number, int64_t tasks, Bindings &bindings,
                   void *stream) const override {
    const cuda::LoadedKernel &kernel = kernels[number];
    int64_t warps = kernel.entry().threads / 32;
    return kernel.launch((tasks + warps - 1) / warps, bindings, stream);
  }

  std::vector<cuda::LoadedKernel> kernels;
};

struct CUDATileFinder final : TileFinder::Impl {
  cuda::Context context = nullptr;

  Result<std::unique_ptr<TileMemory>> allocate(int64_t bytes) const override {
    cuda::ContextScope scope(context);
    auto memory = std::make_unique<DeviceTileMemory>();
    ATTN_TRY_ASSIGN(cuda::Buffer buffer, cuda::Buffer::allocate(bytes));
    memory->buffer = std::move(buffer);
    memory->data = memory->buffer.data();
    memory->bytes = bytes;
    return std::unique_ptr<TileMemory>(std::move(memory));
  }

  Result<void> clear(void *data, int64_t bytes, void *stream) const override {
    ATTN_TRY_ASSIGN(const cuda::Driver *driver, cuda::driver());
    cuda::ContextScope scope(context);
    return driver->check(
        driver->memsetD8Async(reinterpret_cast<cuda::DevicePointer>(data), 0,
                              bytes, static_cast<cuda::Stream>(stream)),
        "cuMemsetD8Async");
  }

  /// Enough to fill a large GPU with warps: those that share a word decide
  /// again what its logic decides, which costs less than to wait.
  int64_t searchersOf(int64_t words) const override {
    constexpr int64_t warps = 1 << 14;
    int64_t searchers = 32;
    while (searchers > 1 && words * searchers > warps)
      searchers /= 2;
    return searchers;
  }

  Result<void> copyToHost(void *to, const void *from, int64_t bytes,
                          void *stream) const override {
    return copyFromGPU(context, to, from, bytes, stream);
  }

  TileCodeResult load(const KernelImage &image) const override {
    cuda::ContextScope scope(context);
    auto code = std::make_shared<CUDATileCode>();
    ATTN_TRY_ASSIGN(code->kernels, cuda::LoadedKernel::load(image));
    return std::shared_ptr<TileCode>(code);
  }
};

} // namespace

Result<std::shared_ptr<TileFinder::Impl>> attn::createCUDATileFinder() {
  ATTN_TRY(cuda::currentDevice());
  auto finder = std::make_shared<CUDATileFinder>();
  finder->context = cuda::currentContext();
  return std::shared_ptr<TileFinder::Impl>(finder);
}
