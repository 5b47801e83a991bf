// See StreamMemory.h.
#include "StreamMemory.h"

#include "attn/Support/Try.h"

using namespace attn;
using namespace attn::cuda;

Result<void> StreamMemory::Pieces::grow(int64_t wanted) {
  if (have(wanted))
    return {};
  ATTN_TRY_ASSIGN(Buffer buffer, Buffer::allocate(wanted));
  buffers.push_back(std::move(buffer));
  bytes = wanted;
  return {};
}

StreamMemory::Key StreamMemory::keyOf(void *stream) {
  bool isOfThread = stream == kStreamPerThread;
  return {stream, isOfThread ? std::this_thread::get_id() : std::thread::id()};
}

Result<void> StreamMemory::reserve(int64_t bytes) {
  std::lock_guard<std::mutex> lock(mutex);
  ATTN_TRY(ofGraphs.grow(bytes));
  return ofStreams[keyOf(nullptr)].grow(bytes);
}

Result<void *> StreamMemory::of(void *stream, int64_t bytes) {
  bool capturing = false;
  if (stream) {
    ATTN_TRY_ASSIGN(capturing, isCapturing(static_cast<Stream>(stream)));
  }
  std::lock_guard<std::mutex> lock(mutex);
  if (capturing)
    return ofGraphs.have(bytes) ? ofGraphs.data() : nullptr;
  Pieces &own = ofStreams[keyOf(stream)];
  ATTN_TRY(own.grow(bytes));
  return own.data();
}
