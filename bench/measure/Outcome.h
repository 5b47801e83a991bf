// What one backend did with one case: the verdict on its results and its times.
// The runner fills it in, the reports print it.
#ifndef ATTN_BENCH_MEASURE_OUTCOME_H
#define ATTN_BENCH_MEASURE_OUTCOME_H

#include "measure/Timing.h"

#include <cstdint>
#include <optional>
#include <string>

namespace attn::bench {

/// The verdict on a backend's gradients, and their time.
struct Backward {
  enum Check {
    NotRun, ///< it has none for this problem
    Passed,
    Wrong,
    Failed,   ///< it should have worked
    Unchecked ///< timed, but the case is too large for the reference gradients
  } check = NotRun;
  Timing timing;                  ///< empty unless Passed or Unchecked
  std::optional<double> maxError; ///< the largest of dQ, dK and dV
  double compileSeconds = 0;
  double cachedSeconds = 0; ///< of code that came from the cache on disk
  std::string reason;       ///< why it was not run, or is wrong
};

/// What one backend did with one case.
struct Outcome {
  enum Kind {
    Timed,
    Wrong, ///< the result is; it has no time
    Unavailable,
    Unsupported,
    OutOfMemory,
    Failed,
    Skipped, ///< the whole case is
    Interrupted
  } kind = Skipped;
  double seconds = 0;               ///< median of timing.samples, if timed
  Timing timing;                    ///< forward; empty unless timed
  std::optional<Backward> backward; ///< where the configuration asks for it
  std::optional<double> maxError;   ///< against the reference, if it ran
  double compileSeconds = 0;
  double cachedSeconds = 0; ///< of code that came from the cache on disk
  std::string reason;       ///< or a remark, if timed
};

/// One kernel of a backend, which serves many cases: how often something was
/// compiled for it, and how long that took.
struct KernelCount {
  std::string backend, of; ///< "compiled", "causal bf16 D128"
  int compiles = 0;
  double seconds = 0;
  int cached = 0; ///< how often it came from the cache on disk instead
};

/// A GPU's clocks and limits at one moment, as NVML tells them.
struct DeviceState {
  unsigned coreMHz = 0, memoryMHz = 0, celsius = 0;
  double watts = 0;
  /// nvmlClocksEventReasons: why the clocks are what they are.
  uint64_t reasons = 0;
  /// Seconds since the driver started in which the clocks were held down by
  /// the power cap, and by the temperature; 0 where NVML does not count them.
  double powerLimited = 0, thermallyLimited = 0;
};

/// What the device was like while a case ran.
struct Conditions {
  std::optional<DeviceState> before, after; ///< nullopt: not known
  double seconds = 0;                       ///< wall clock between the two
  /// Why the clocks were held down in between ("power cap for 12% of the
  /// time"); empty: they were not, or it is not known.
  std::string throttled;
};

} // namespace attn::bench

#endif // ATTN_BENCH_MEASURE_OUTCOME_H
