// How long runs of a kernel take, on its target.
#ifndef ATTN_LIB_API_STOPWATCH_H
#define ATTN_LIB_API_STOPWATCH_H

#include "attn/API/Attention.h"

#include <functional>
#include <memory>

namespace attn {

class Stopwatch {
public:
  virtual ~Stopwatch() = default;
  /// Seconds from the beginning of `runs` calls to the end of what they did.
  /// Errors: those of `run`; one of the GPU's.
  virtual Result<double> time(int runs,
                              const std::function<Result<void>()> &run) = 0;
};

/// `stream`: where the runs are enqueued (CUDA, in the current context).
Result<std::unique_ptr<Stopwatch>> createStopwatch(Target target, void *stream);

} // namespace attn

#endif // ATTN_LIB_API_STOPWATCH_H
