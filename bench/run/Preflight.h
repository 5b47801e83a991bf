// What can be known of a run before it begins, so that nobody finds out hours
// later.
#ifndef ATTN_BENCH_RUN_PREFLIGHT_H
#define ATTN_BENCH_RUN_PREFLIGHT_H

#include "cases/Cases.h"
#include "devices/Device.h"

namespace attn::bench {

/// Checks the schedules that were given against the kernels of all cases. Notes
/// name the cases whose kernel a schedule does not suit. Errors: one that suits
/// no case.
Result<void> checkSchedules(const Config &, const std::vector<Case> &, Target,
                            std::vector<std::string> &notes);

/// Marks the cases that are too large for the memory that is free now.
void markTooLarge(std::vector<Case> &, const Device &);

} // namespace attn::bench

#endif // ATTN_BENCH_RUN_PREFLIGHT_H
