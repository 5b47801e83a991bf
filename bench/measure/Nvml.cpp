// The few types and values of nvml.h are declared here.
#include "measure/Nvml.h"

#include <algorithm>
#include <cstdio>
#include <dlfcn.h>

using namespace attn::bench;

namespace {
using Status = int;
using Handle = void *;
struct ViolationTime {
  unsigned long long referenceMicroseconds, nanoseconds;
};
constexpr int kClockSM = 1, kClockMemory = 2, kTemperatureGPU = 0;
constexpr int kPolicyPower = 0, kPolicyThermal = 1;
} // namespace

struct attn::bench::NvmlLibrary {
  Status (*init)();
  Status (*handleByBusId)(const char *, Handle *);
  Status (*clock)(Handle, int type, unsigned *mhz);
  Status (*temperature)(Handle, int sensor, unsigned *celsius);
  Status (*power)(Handle, unsigned *milliwatts);
  Status (*reasons)(Handle, unsigned long long *);
  Status (*violation)(Handle, int policy, ViolationTime *);
};

/// Null where the library is missing or lacks a function.
static const NvmlLibrary *loadLibrary() {
  static NvmlLibrary library;
  void *handle = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    return nullptr;
  auto find = [&](auto &function, const char *symbol) {
    using Pointer = std::remove_reference_t<decltype(function)>;
    function = reinterpret_cast<Pointer>(dlsym(handle, symbol));
    return function != nullptr;
  };
  bool complete =
      find(library.init, "nvmlInit_v2") &&
      find(library.handleByBusId, "nvmlDeviceGetHandleByPciBusId_v2") &&
      find(library.clock, "nvmlDeviceGetClockInfo") &&
      find(library.temperature, "nvmlDeviceGetTemperature") &&
      find(library.power, "nvmlDeviceGetPowerUsage") &&
      find(library.violation, "nvmlDeviceGetViolationStatus") &&
      // Its newer name ends in ClocksEventReasons; this one stays.
      find(library.reasons, "nvmlDeviceGetCurrentClocksThrottleReasons");
  return complete && library.init() == 0 ? &library : nullptr;
}

Nvml Nvml::open(const std::string &busId) {
  static const NvmlLibrary *const library = loadLibrary();
  Nvml nvml;
  if (library && library->handleByBusId(busId.c_str(), &nvml.device) == 0)
    nvml.library = library;
  return nvml;
}

std::optional<DeviceState> Nvml::state() const {
  if (!library)
    return std::nullopt;
  DeviceState state;
  unsigned milliwatts = 0;
  unsigned long long reasons = 0;
  if (library->clock(device, kClockSM, &state.coreMHz) ||
      library->clock(device, kClockMemory, &state.memoryMHz) ||
      library->reasons(device, &reasons))
    return std::nullopt;
  state.reasons = reasons;
  // What follows is not there on every GPU, and stays 0.
  if (library->temperature(device, kTemperatureGPU, &state.celsius))
    state.celsius = 0;
  if (library->power(device, &milliwatts) == 0)
    state.watts = milliwatts * 1e-3;
  ViolationTime time{};
  if (library->violation(device, kPolicyPower, &time) == 0)
    state.powerLimited = double(time.nanoseconds) * 1e-9;
  if (library->violation(device, kPolicyThermal, &time) == 0)
    state.thermallyLimited = double(time.nanoseconds) * 1e-9;
  return state;
}

std::string attn::bench::throttlingBetween(const DeviceState &before,
                                           const DeviceState &after,
                                           double seconds) {
  std::string text;
  auto append = [&](const std::string &what) {
    text += (text.empty() ? "" : ", ") + what;
  };
  auto appendShare = [&](const char *what, double limited) {
    char words[64];
    double share = seconds > 0 ? std::min(1.0, limited / seconds) : 0;
    std::snprintf(words, sizeof(words), "%s for %.0f%% of the time", what,
                  100 * share);
    if (share >= 0.01)
      append(words);
  };
  appendShare("power cap", after.powerLimited - before.powerLimited);
  appendShare("temperature", after.thermallyLimited - before.thermallyLimited);
  static const std::pair<uint64_t, const char *> hardware[] = {
      {0x08, "hardware slowdown"},
      {0x20, "software thermal slowdown"},
      {0x40, "hardware thermal slowdown"},
      {0x80, "power brake"}};
  for (auto [bit, name] : hardware)
    if ((before.reasons | after.reasons) & bit)
      append(name);
  return text;
}
