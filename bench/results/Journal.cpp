// Files that nothing is lost from.
#include "results/Journal.h"

#include "support/Output.h"
#include "support/TextFile.h"

#include "attn/Support/Try.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace attn;
using namespace attn::bench;

Error Journal::failure(const char *what) const { return fileError(what, path); }

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
      return fileError("write", path);
    std::unique_ptr<Journal> journal(new Journal(path, descriptor));
    if (flock(descriptor, LOCK_EX | LOCK_NB)) {
      if (errno == EWOULDBLOCK)
        return Error{"another run is writing to '" + path + "'"};
      return journal->failure("lock");
    }
    if (!isStillThere(descriptor, path))
      continue;
    ATTN_TRY(journal->read());
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
  ATTN_TRY_ASSIGN(std::string text, readFile(path));
  found = wholeLines(text);
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
  if (!writeAll(descriptor, line + "\n") || fsync(descriptor))
    return failure("write");
  return {};
}

void Journal::remove() { ::unlink(path.c_str()); }
