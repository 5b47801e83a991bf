// What a report says about the run as a whole: enough to know what was
// measured, where and with what.
#ifndef ATTN_BENCH_RESULTS_RUNINFO_H
#define ATTN_BENCH_RESULTS_RUNINFO_H

#include "cases/Cases.h"
#include "devices/Device.h"

#include <map>

namespace attn::bench {

/// What the device can do at most, measured by this run.
struct Ceilings {
  /// FLOP/s of the vendor's matrix product, by element type ("bf16").
  std::map<std::string, double> gemm;
  /// Bytes per second of a copy, read and written ones both counted.
  double copy = 0;
  double read = 0; ///< bytes per second of a stream that only reads
  /// Seconds that a kernel which does nothing takes, timed as backends are.
  double emptyLaunch = 0;
};

/// A name and what there is to say, such as a library and its version.
using Fact = std::pair<std::string, std::string>;

struct RunInfo {
  std::string version, commit; ///< of attn
  std::string started;         ///< UTC, as 2026-01-31T12:00:00Z
  std::string commandLine;     ///< quoted for a shell
  std::string configFile;      ///< empty: none
  std::string target;          ///< "cpu" or "cuda"
  std::string device;
  std::vector<Fact> facts;
  std::vector<std::string> backends; ///< the first one is `compiled`
  Ceilings ceilings;
  size_t caseCount = 0;
  /// Changes with the cases, the settings and the device: runs with the same
  /// one can be continued.
  std::string fingerprint;
};

/// Fills in all but the ceilings. `repeats` are the cases' command lines.
RunInfo describeRun(int argc, char **argv, const std::string &configFile,
                    const Device &, const std::vector<std::string> &backends,
                    const std::vector<std::string> &repeats,
                    const std::vector<LoadedMod> &mods);

/// The versions of the libraries which were loaded by now, by their files'
/// names: "libopenblasp-r0.3.21.so, libcublas.so.13.1.0.3".
std::string loadedLibraries();

/// Now, as 2026-01-31T12:00:00Z.
std::string timeNow();

} // namespace attn::bench

#endif // ATTN_BENCH_RESULTS_RUNINFO_H
