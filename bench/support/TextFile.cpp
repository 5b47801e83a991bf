// See TextFile.h.
#include "support/TextFile.h"

#include "support/Output.h"

#include "attn/Support/Try.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

using namespace attn;
using namespace attn::bench;

namespace fs = std::filesystem;

Error attn::bench::fileError(const char *what, const std::string &path) {
  return {std::string("cannot ") + what + " '" + path +
          "': " + std::strerror(errno)};
}

/// The N of a link /proc/PID/fd/N of this process, which is what /dev/stdout
/// and /dev/fd/N lead to: opening it anew would begin at the file's start. Else
/// -1.
static int descriptorOf(const fs::path &link) {
  std::error_code code;
  fs::path folder = fs::canonical(
      link.has_parent_path() ? link.parent_path() : fs::path("."), code);
  if (code || folder != "/proc/" + std::to_string(getpid()) + "/fd")
    return -1;
  return std::atoi(link.filename().c_str());
}

Result<Destination> attn::bench::destinationOf(const std::string &path) {
  constexpr int mostLinks = 40; // as many as Linux follows
  Destination place;
  place.path = path;
  for (int i = 0; i < mostLinks; ++i) {
    struct stat status = {};
    if (lstat(place.path.c_str(), &status)) {
      if (errno == ENOENT)
        return place;
      return fileError("write", path);
    }
    place.exists = true;
    place.isRegular = S_ISREG(status.st_mode);
    if (!S_ISLNK(status.st_mode))
      return place;
    fs::path link = place.path;
    place.descriptor = descriptorOf(link);
    if (place.descriptor >= 0)
      return place;
    std::error_code code;
    fs::path target = fs::read_symlink(link, code);
    if (code)
      break;
    place = {};
    place.path = (link.parent_path() / target).string();
  }
  errno = ELOOP;
  return fileError("write", path);
}

Result<int> attn::bench::openStream(const Destination &place) {
  int descriptor = place.descriptor < 0
                       ? ::open(place.path.c_str(), O_WRONLY | O_CLOEXEC)
                       : fcntl(place.descriptor, F_DUPFD_CLOEXEC, 0);
  if (descriptor < 0)
    return fileError("write", place.path);
  return descriptor;
}

Result<void> attn::bench::checkWritable(const std::string &path) {
  ATTN_TRY_ASSIGN(Destination place, destinationOf(path));
  int descriptor = -1;
  if (place.descriptor >= 0) {
    int flags = fcntl(place.descriptor, F_GETFL);
    if (flags >= 0 && (flags & O_ACCMODE) != O_RDONLY)
      return {};
    errno = EBADF;
  } else if (place.isRegular) {
    const char *name = place.path.c_str();
    descriptor = ::open(name,
                        place.exists ? O_WRONLY | O_APPEND | O_CLOEXEC
                                     : O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                        0666);
    if (descriptor >= 0 && !place.exists)
      ::unlink(name);
  } else if (std::error_code code; fs::is_directory(place.path, code)) {
    errno = EISDIR;
  } else if (access(place.path.c_str(), W_OK) == 0) {
    return {}; // opening a pipe would wait for who reads it
  }
  if (descriptor < 0)
    return fileError("write", path);
  ::close(descriptor);
  return {};
}

/// Writes, waits until it is on disk, and closes.
static bool writeAndClose(int descriptor, const std::string &text) {
  bool written = writeAll(descriptor, text) &&
                 (fsync(descriptor) == 0 || errno == EINVAL || errno == EROFS);
  int reason = errno;
  if (::close(descriptor) && written)
    return false;
  errno = reason;
  return written;
}

/// A file of its own beside `path`, whose name goes to `temporary`; -1: none.
static int openBeside(const std::string &path, std::string &temporary) {
  for (int i = 0; i < 100; ++i) {
    temporary = path + "." + std::to_string(getpid()) + "." +
                std::to_string(i) + ".new";
    int descriptor = ::open(temporary.c_str(),
                            O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor >= 0 || errno != EEXIST)
      return descriptor;
  }
  return -1;
}

/// Overwrites: for a file that has other names, or whose folder takes no new
/// one.
static bool overwrite(const std::string &path, const std::string &text) {
  int descriptor =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  return descriptor >= 0 && writeAndClose(descriptor, text);
}

static bool replace(const std::string &path, const std::string &text) {
  struct stat old = {};
  bool exists = stat(path.c_str(), &old) == 0;
  std::string temporary;
  int descriptor =
      exists && old.st_nlink > 1 ? -1 : openBeside(path, temporary);
  if (descriptor < 0)
    return overwrite(path, text);
  if (exists) {
    // Another's file stays that, where we may give files away.
    if (fchown(descriptor, old.st_uid, old.st_gid) == 0 || errno == EPERM)
      fchmod(descriptor, old.st_mode & 07777);
  }
  if (writeAndClose(descriptor, text) &&
      ::rename(temporary.c_str(), path.c_str()) == 0)
    return true;
  int reason = errno;
  ::unlink(temporary.c_str());
  errno = reason;
  return false;
}

Result<void> attn::bench::writeFile(const std::string &path,
                                    const std::string &text) {
  ATTN_TRY_ASSIGN(Destination place, destinationOf(path));
  bool written = false;
  if (place.isRegular) {
    written = replace(place.path, text);
  } else {
    ATTN_TRY_ASSIGN(int stream, openStream(place));
    written = writeAndClose(stream, text);
  }
  if (!written)
    return fileError("write", path);
  return {};
}

Result<std::string> attn::bench::readFile(const std::string &path) {
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return fileError("read", path);
  std::string text;
  char buffer[65536];
  ssize_t count;
  while ((count = ::read(descriptor, buffer, sizeof(buffer))) != 0) {
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0) {
      Error error = fileError("read", path);
      ::close(descriptor);
      return error;
    }
    text.append(buffer, static_cast<size_t>(count));
  }
  ::close(descriptor);
  return text;
}
