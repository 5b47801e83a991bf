// The kernels of a plan, each compiled when it is first needed or prepared.
#ifndef ATTN_LIB_LAUNCH_PLANNEDKERNELS_H
#define ATTN_LIB_LAUNCH_PLANNEDKERNELS_H

#include "attn/API/Attention.h"
#include "attn/Runtime/Guard.h"
#include "attn/Support/Try.h"

#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace attn {

/// The sizes that guards ask for. CPU: one multiprocessor.
LaunchSizes launchSizesOf(const ProblemSizes &sizes,
                          int64_t multiprocessors = 1);
/// Null: of any sizes.
LaunchRange launchRangeOf(const SizeRange *range, const LaunchMemory &memory,
                          int64_t multiprocessors = 1);
/// The place of the kernel for launches on such memory that does not ask for
/// sizes.
size_t kernelForAnySizes(const LaunchPlan &plan, const LaunchMemory &memory);
/// Errors: one that ends before it begins.
Result<void> checkRange(const SizeRange &range);
/// What a launch in a stream capture says of a kernel that is not there.
Error unpreparedError(const char *prepare, const ProblemSizes &sizes);

/// A `Kernel` for each place of a plan. Thread-safe once it has its plan.
template <typename Kernel> class PlannedKernels {
public:
  /// Before all else, and once.
  void setPlan(LaunchPlan plan) {
    guards = std::move(plan);
    kernels.resize(guards.size());
  }
  const LaunchPlan &plan() const { return guards; }

  /// Null: it is not compiled yet.
  const Kernel *find(size_t place) const {
    std::lock_guard<std::mutex> lock(mutex);
    return kernels[place] ? &*kernels[place] : nullptr;
  }

  /// `compile`: makes a Result<Kernel>, if there is none yet.
  template <typename Compile>
  Result<const Kernel *> get(size_t place, Compile compile) const {
    std::lock_guard<std::mutex> lock(mutex);
    if (!kernels[place]) {
      ATTN_TRY_ASSIGN(kernels[place], compile());
    }
    return &*kernels[place];
  }

private:
  LaunchPlan guards;
  mutable std::mutex mutex;
  mutable std::vector<std::optional<Kernel>> kernels;
};

} // namespace attn

#endif // ATTN_LIB_LAUNCH_PLANNEDKERNELS_H
