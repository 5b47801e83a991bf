// The schedules that a launch could take, as text.
#ifndef ATTN_LIB_API_SCHEDULECANDIDATES_H
#define ATTN_LIB_API_SCHEDULECANDIDATES_H

#include "attn/API/Attention.h"

#include <string>
#include <vector>

namespace attn {

/// Launches of a mod's kernels, as far as their schedules depend on them.
struct ScheduledLaunch {
  const Mod &mod;
  const KernelSpec &spec; ///< says what memory is like, but for captures
  ProblemSizes sizes;
  bool unitCaptures = true;      ///< their innermost strides are 1
  std::vector<int64_t> wrt = {}; ///< of gradients
};

struct ScheduleCandidates {
  /// The one that is chosen by rule, then others, that differ least first.
  std::vector<std::string> schedules;
  /// All that the time of one depends on, besides itself, the sizes of the
  /// launch and what it runs on.
  std::string key;
};

/// Of the forward pass. CUDA: the context that the spec asks for is current.
/// Errors: those of AttentionKernel::check().
Result<ScheduleCandidates> scheduleCandidates(const ScheduledLaunch &launch);

/// Of gradients, for whose kernels a text is a list of schedules: those of all
/// kernels as chosen by rule, and other ways to divide the work among kernels.
/// CUDA and errors: as above.
Result<ScheduleCandidates> gradientForms(const ScheduledLaunch &launch);

/// For each kernel that can be varied: lists that differ from `list` in the
/// schedule of just this one, `list` first. CUDA and errors: as above.
Result<std::vector<std::vector<std::string>>>
gradientCandidates(const ScheduledLaunch &launch, const std::string &list);

} // namespace attn

#endif // ATTN_LIB_API_SCHEDULECANDIDATES_H
