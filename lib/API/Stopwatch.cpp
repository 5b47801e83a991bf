// See Stopwatch.h.
#include "Stopwatch.h"

#include "attn/Runtime/CUDADriver.h"
#include "attn/Support/Try.h"

#include <chrono>

using namespace attn;

namespace {
class HostStopwatch final : public Stopwatch {
  Result<double> time(int runs,
                      const std::function<Result<void>()> &run) override {
    auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < runs; ++i)
      ATTN_TRY(run());
    std::chrono::duration<double> time =
        std::chrono::steady_clock::now() - start;
    return time.count();
  }
};

/// Between two events, so that what the host does in between counts only where
/// the GPU waits for it.
class DeviceStopwatch final : public Stopwatch {
public:
  DeviceStopwatch(const cuda::Driver &driver, cuda::Stream stream)
      : cu(driver), stream(stream) {}
  ~DeviceStopwatch() override {
    for (cuda::Event event : {start, end})
      if (event)
        cu.eventDestroy(event);
  }

  Result<void> create() {
    for (cuda::Event *event : {&start, &end})
      ATTN_TRY(cu.check(cu.eventCreate(event, 0), "cuEventCreate"));
    return {};
  }

  Result<double> time(int runs,
                      const std::function<Result<void>()> &run) override {
    ATTN_TRY(cu.check(cu.eventRecord(start, stream), "cuEventRecord"));
    for (int i = 0; i < runs; ++i)
      ATTN_TRY(run());
    ATTN_TRY(cu.check(cu.eventRecord(end, stream), "cuEventRecord"));
    ATTN_TRY(cu.check(cu.eventSynchronize(end), "cuEventSynchronize"));
    float milliseconds = 0;
    ATTN_TRY(cu.check(cu.eventElapsedTime(&milliseconds, start, end),
                      "cuEventElapsedTime"));
    return double(milliseconds) * 1e-3;
  }

private:
  const cuda::Driver &cu;
  cuda::Stream stream;
  cuda::Event start = nullptr, end = nullptr;
};
} // namespace

Result<std::unique_ptr<Stopwatch>> attn::createStopwatch(Target target,
                                                         void *stream) {
  if (target == Target::CPU)
    return std::unique_ptr<Stopwatch>(std::make_unique<HostStopwatch>());
  ATTN_TRY_ASSIGN(const cuda::Driver *driver, cuda::driver());
  auto watch = std::make_unique<DeviceStopwatch>(
      *driver, static_cast<cuda::Stream>(stream));
  ATTN_TRY(watch->create());
  return std::unique_ptr<Stopwatch>(std::move(watch));
}
