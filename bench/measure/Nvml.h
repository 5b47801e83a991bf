// NVIDIA's management library, loaded at run time: the clocks of the GPU and
// what holds them down. Only reads; a benchmark that sets clocks measures a
// machine that nobody has.
#ifndef ATTN_BENCH_MEASURE_NVML_H
#define ATTN_BENCH_MEASURE_NVML_H

#include "measure/Outcome.h"

namespace attn::bench {

struct NvmlLibrary;

/// One GPU as NVML knows it.
class Nvml {
public:
  /// Without the library, or a GPU with this bus id ("0000:17:00.0"), state()
  /// is never known.
  static Nvml open(const std::string &busId);

  std::optional<DeviceState> state() const;

private:
  const NvmlLibrary *library = nullptr;
  void *device = nullptr;
};

/// Conditions::throttled for two states that lie `seconds` apart.
std::string throttlingBetween(const DeviceState &before,
                              const DeviceState &after, double seconds);

} // namespace attn::bench

#endif // ATTN_BENCH_MEASURE_NVML_H
