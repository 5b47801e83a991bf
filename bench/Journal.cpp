// Files that nothing is lost from.
#include "Journal.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace attn;
using namespace attn::bench;

static Error failureOf(const char *what, const std::string &path) {
  return {std::string("cannot ") + what + " '" + path +
          "': " + std::strerror(errno)};
}

Error Journal::failure(const char *what) const { return failureOf(what, path); }

/// Writes all of `text`, and waits until it is on disk.
static bool writeAll(int descriptor, const std::string &text) {
  for (size_t at = 0; at < text.size();) {
    ssize_t count = ::write(descriptor, text.data() + at, text.size() - at);
    if (count < 0 && errno != EINTR)
      return false;
    at += count > 0 ? static_cast<size_t>(count) : 0;
  }
  return ::fsync(descriptor) == 0 || errno == EINVAL; // a pipe has no disk
}

static Result<std::string> readAll(int descriptor, const std::string &path) {
  std::string text;
  char buffer[65536];
  for (;;) {
    ssize_t count = ::read(descriptor, buffer, sizeof(buffer));
    if (count == 0)
      return text;
    if (count < 0 && errno != EINTR)
      return failureOf("read", path);
    text.append(buffer, count > 0 ? static_cast<size_t>(count) : 0);
  }
}

/// Whether `descriptor` is still what `path` names: its last owner may have
/// deleted the file between our opening and our locking it.
static bool isStillThere(int descriptor, const std::string &path) {
  struct stat mine = {}, named = {};
  return fstat(descriptor, &mine) == 0 && stat(path.c_str(), &named) == 0 &&
         mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
}

Result<std::unique_ptr<Journal>> Journal::open(const std::string &path) {
  for (;;) {
    int descriptor =
        ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (descriptor < 0)
      return failureOf("write", path);
    std::unique_ptr<Journal> journal(new Journal(path, descriptor));
    if (flock(descriptor, LOCK_EX | LOCK_NB)) {
      if (errno == EWOULDBLOCK)
        return Error{"another run is writing to '" + path + "'"};
      return journal->failure("lock");
    }
    if (!isStillThere(descriptor, path))
      continue;
    if (Result<void> ok = journal->read(); !ok)
      return Error{ok.error()};
    return journal;
  }
}

std::vector<std::string> attn::bench::wholeLines(const std::string &text) {
  std::vector<std::string> lines;
  size_t begin = 0;
  for (size_t end; (end = text.find('\n', begin)) != std::string::npos;
       begin = end + 1)
    lines.push_back(text.substr(begin, end - begin));
  return lines;
}

Journal::~Journal() { ::close(descriptor); }

Result<void> Journal::read() {
  Result<std::string> text = readAll(descriptor, path);
  if (!text)
    return Error{text.error()};
  found = wholeLines(*text);
  return {};
}

Result<void> Journal::keep(size_t count) {
  off_t bytes = 0;
  for (size_t i = 0; i < count; ++i)
    bytes += static_cast<off_t>(found[i].size()) + 1;
  if (ftruncate(descriptor, bytes))
    return failure("write");
  return {};
}

Result<void> Journal::append(const std::string &line) {
  if (!writeAll(descriptor, line + "\n"))
    return failure("write");
  return {};
}

void Journal::remove() { ::unlink(path.c_str()); }

Result<void> attn::bench::writeFile(const std::string &path,
                                    const std::string &text) {
  // /dev/stdout and the like cannot be replaced.
  struct stat status = {};
  bool special = stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
  std::string temporary = special ? path : path + ".new";
  int descriptor =
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0)
    return failureOf("write", temporary);
  bool written = writeAll(descriptor, text);
  if (::close(descriptor) || !written)
    return failureOf("write", temporary);
  if (!special && ::rename(temporary.c_str(), path.c_str()))
    return failureOf("write", path);
  return {};
}

Result<std::string> attn::bench::readFile(const std::string &path) {
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0)
    return failureOf("read", path);
  Result<std::string> text = readAll(descriptor, path);
  ::close(descriptor);
  return text;
}
