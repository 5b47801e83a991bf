// The schedules that a kernel could have as well: what an autotuner tries.
#ifndef ATTN_ANALYSIS_SCHEDULESPACE_H
#define ATTN_ANALYSIS_SCHEDULESPACE_H

#include "attn/Analysis/ScheduleCost.h"

#include "mlir/IR/MLIRContext.h"

#include <vector>

namespace mlir::attn {

/// A launch, as far as it decides which schedules are out of the question.
struct LaunchShape {
  /// Batch times the heads that tasks are of: those of queries, if these are
  /// not packed, or of keys.
  int64_t tasks = 1;
  int64_t queries = 0, keys = 0;
  int64_t multiprocessors = 0; ///< 0: a CPU
  /// A packed schedule's rows are those of so many heads.
  int64_t sharedHeads = 1;
};

/// `chosen`, and schedules that differ from it in the sizes of tiles, in who
/// computes and in how copies are made, those that differ least first. Each
/// satisfies the constraints of #attn.schedule, has room in shared memory and
/// registers, as far as is known before it is compiled, and suits the launch:
/// tiles are at most twice as long as rows and columns, and no more than 30%
/// more of the multiprocessors idle than need to. What decides which launches a
/// kernel takes (packing, shares, alignment, whether warps have roles) stays,
/// and who owns what.
std::vector<Schedule> scheduleSpace(MLIRContext *context,
                                    const Schedule &chosen,
                                    const KernelShape &kernel,
                                    const LaunchShape &launch);

} // namespace mlir::attn

#endif // ATTN_ANALYSIS_SCHEDULESPACE_H
