// See StreamMemory.h.
#include "StreamMemory.h"

#include "attn/Support/Try.h"

using namespace attn;
using namespace attn::cuda;

Result<std::shared_ptr<StreamMemory>> StreamMemory::create(int64_t bytes) {
  auto memory = std::make_shared<StreamMemory>();
  memory->bytes = bytes;
  ATTN_TRY_ASSIGN(memory->ofGraphs, Buffer::allocate(bytes));
  ATTN_TRY_ASSIGN(memory->ofStreams[nullptr], Buffer::allocate(bytes));
  return memory;
}

Result<void *> StreamMemory::of(void *stream) {
  if (stream) {
    ATTN_TRY_ASSIGN(bool capturing, isCapturing(static_cast<Stream>(stream)));
    if (capturing)
      return ofGraphs.data();
  }
  std::lock_guard<std::mutex> lock(mutex);
  auto found = ofStreams.find(stream);
  if (found == ofStreams.end()) {
    ATTN_TRY_ASSIGN(Buffer buffer, Buffer::allocate(bytes));
    found = ofStreams.emplace(stream, std::move(buffer)).first;
  }
  return found->second.data();
}
