// Memory of a kernel's own for what a launch leaves for the next one on the
// same stream.
#ifndef ATTN_LIB_LAUNCH_STREAMMEMORY_H
#define ATTN_LIB_LAUNCH_STREAMMEMORY_H

#include "attn/Runtime/CUDADriver.h"

#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace attn::cuda {

/// A piece for each stream, as launches on one stream do not overlap; one
/// handle (kStreamPerThread) is another stream in each thread. Launches in
/// graphs have one together. Pieces that became too small stay where they are:
/// earlier launches, or graphs, may still use them.
class StreamMemory {
public:
  /// Allocates what graphs and the default stream take, unless they have it.
  Result<void> reserve(int64_t bytes);

  /// Allocates what a stream takes, unless it has it. In a capture memory must
  /// have been reserved: else null.
  Result<void *> of(void *stream, int64_t bytes);

private:
  struct Pieces {
    std::vector<Buffer> buffers; ///< the last is the largest
    int64_t bytes = 0;           ///< of the last

    bool have(int64_t wanted) const { return wanted <= bytes; }
    Result<void> grow(int64_t wanted);
    void *data() const {
      return buffers.empty() ? nullptr : buffers.back().data();
    }
  };

  /// What tells streams apart: of a handle that all threads share the same
  /// stream in, no thread.
  using Key = std::pair<void *, std::thread::id>;
  static Key keyOf(void *stream);

  std::mutex mutex;
  Pieces ofGraphs;
  std::map<Key, Pieces> ofStreams;
};

} // namespace attn::cuda

#endif // ATTN_LIB_LAUNCH_STREAMMEMORY_H
