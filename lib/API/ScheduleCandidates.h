// The schedules that a launch could take, as text.
#ifndef ATTN_LIB_API_SCHEDULECANDIDATES_H
#define ATTN_LIB_API_SCHEDULECANDIDATES_H

#include "attn/API/Attention.h"

#include <string>
#include <vector>

namespace attn {

struct ScheduleCandidates {
  /// The one that is chosen by rule, then others, that differ least first.
  std::vector<std::string> schedules;
  /// All that the time of one depends on, besides itself, the sizes of the
  /// launch and what it runs on.
  std::string key;
};

/// For launches of these sizes, with captured tensors of such strides and
/// memory as the spec says. CUDA: the context that the spec asks for is
/// current. Errors: those of AttentionKernel::check().
Result<ScheduleCandidates> scheduleCandidates(const Mod &mod,
                                              const KernelSpec &spec,
                                              const ProblemSizes &sizes,
                                              bool unitCaptures);

} // namespace attn

#endif // ATTN_LIB_API_SCHEDULECANDIDATES_H
