// See File.h.
#include "File.h"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

using namespace attn;
using namespace attn::cache;

std::string cache::systemError() {
  return std::generic_category().message(errno);
}

File::~File() {
  if (handle >= 0)
    ::close(handle);
}

File File::open(int directory, const std::string &name, int flags) {
  return File(::openat(directory, name.c_str(), flags | O_CLOEXEC | O_NOFOLLOW,
                       S_IRUSR | S_IWUSR));
}

/// Calls `step` until no signal interrupts it.
template <typename Step> static ssize_t retried(Step step) {
  ssize_t result;
  do
    result = step();
  while (result < 0 && errno == EINTR);
  return result;
}

Result<std::string> File::read(int64_t most) const {
  struct stat status {};
  if (::fstat(handle, &status))
    return Error{systemError()};
  std::string bytes(std::min<int64_t>(status.st_size, most), '\0');
  size_t done = 0;
  while (done < bytes.size()) {
    ssize_t got = retried([&] {
      return ::read(handle, bytes.data() + done, bytes.size() - done);
    });
    if (got < 0)
      return Error{systemError()};
    if (got == 0)
      break;
    done += static_cast<size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

Result<void> File::write(std::string_view bytes) const {
  while (!bytes.empty()) {
    ssize_t put =
        retried([&] { return ::write(handle, bytes.data(), bytes.size()); });
    if (put < 0)
      return Error{systemError()};
    bytes.remove_prefix(static_cast<size_t>(put));
  }
  return {};
}

Result<void> File::finish() {
  if (::fsync(handle))
    return Error{systemError()};
  // Some file systems say only here that there was no room.
  if (::close(std::exchange(handle, -1)))
    return Error{systemError()};
  return {};
}
