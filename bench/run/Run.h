// Runs the cases of a configuration and keeps what they give.
#ifndef ATTN_BENCH_RUN_RUN_H
#define ATTN_BENCH_RUN_RUN_H

#include "run/Recorder.h"

namespace attn::bench {

/// Measures every case that the recorder does not have yet; stops after the
/// current one at Ctrl-C. `repeats` are the cases' command lines.
/// Errors: a file could not be written.
Result<void> runCases(const Config &, const std::vector<Case> &,
                      const std::vector<std::string> &repeats, Device &,
                      Recorder &);

/// What --dry-run prints: the cases, their memory and an estimate of the time.
/// `tuning`: seconds that each may take besides to be tuned.
std::string describeCases(const std::vector<Case> &, Target, size_t backends,
                          double tuning);

} // namespace attn::bench

#endif // ATTN_BENCH_RUN_RUN_H
