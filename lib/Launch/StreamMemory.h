// Memory of a kernel's own for what a launch leaves for the next one on the
// same stream.
#ifndef ATTN_LIB_LAUNCH_STREAMMEMORY_H
#define ATTN_LIB_LAUNCH_STREAMMEMORY_H

#include "attn/Runtime/CUDADriver.h"

#include <map>
#include <memory>
#include <mutex>

namespace attn::cuda {

/// A piece for each stream, as launches on one stream do not overlap. Launches
/// in graphs have one together.
class StreamMemory {
public:
  /// Allocates what graphs and the default stream take.
  static Result<std::shared_ptr<StreamMemory>> create(int64_t bytes);

  /// Allocates what a stream takes at its first launch, but in a capture.
  Result<void *> of(void *stream);

private:
  int64_t bytes = 0;
  Buffer ofGraphs;
  std::mutex mutex;
  std::map<void *, Buffer> ofStreams;
};

} // namespace attn::cuda

#endif // ATTN_LIB_LAUNCH_STREAMMEMORY_H
