// A file descriptor that is closed, and whole reads and writes of it.
#ifndef ATTN_LIB_CACHE_FILE_H
#define ATTN_LIB_CACHE_FILE_H

#include "attn/API/Result.h"

#include <string>
#include <string_view>
#include <sys/stat.h>
#include <utility>

namespace attn::cache {

class File {
public:
  explicit File(int handle) : handle(handle) {}
  File(File &&other) noexcept : handle(std::exchange(other.handle, -1)) {}
  ~File();

  /// A file of the directory `directory`, for whose name no link is followed.
  static File open(int directory, const std::string &name, int flags);

  explicit operator bool() const { return handle >= 0; }
  int get() const { return handle; }

  /// The first `most` bytes, or all if it has fewer. Nothing is mapped: a file
  /// that shrinks meanwhile is short, and not a signal.
  Result<std::string> read(int64_t most) const;
  Result<void> write(std::string_view bytes) const;
  /// Waits until the bytes are stored, and closes.
  Result<void> finish();

private:
  int handle;
};

/// What went wrong last, as the system says it.
std::string systemError();

} // namespace attn::cache

#endif // ATTN_LIB_CACHE_FILE_H
