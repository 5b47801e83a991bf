// The size of a cache: who goes, and what statistics say.
//
// An entry that somebody is reading may be removed: the file is there until it
// is closed.
#include "attn/Cache/Store.h"

#include "File.h"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>
#include <vector>

using namespace attn;
using namespace attn::cache;

/// What a writer that was killed left behind is removed after that.
static constexpr std::time_t abandonedSeconds = 3600;

/// So many entries are written without a look at all the others.
static constexpr int64_t putsBetween = 256;
/// And such a part of all that there may be.
static constexpr int64_t partBetween = 64;

static std::string countName(Kind kind) {
  return std::string("hits-") + toString(kind);
}

namespace {
struct Listed {
  std::string name;
  int64_t bytes = 0;
  timespec used{};

  bool operator<(const Listed &other) const {
    return used.tv_sec != other.used.tv_sec ? used.tv_sec < other.used.tv_sec
                                            : used.tv_nsec < other.used.tv_nsec;
  }
};
} // namespace

/// All files of the directory. One that goes meanwhile is not there.
static std::vector<Listed> filesIn(int directory) {
  std::vector<Listed> files;
  // A handle of its own: whoever lists moves it.
  int own = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *listing = own < 0 ? nullptr : ::fdopendir(own);
  if (!listing) {
    if (own >= 0)
      ::close(own);
    return files;
  }
  while (dirent *item = ::readdir(listing)) {
    struct stat status {};
    if (::fstatat(directory, item->d_name, &status, AT_SYMLINK_NOFOLLOW) ||
        !S_ISREG(status.st_mode))
      continue;
    files.push_back({item->d_name, status.st_size, status.st_mtim});
  }
  ::closedir(listing);
  return files;
}

/// Of two threads both may: that is only work.
bool Store::isTimeToPrune(int64_t written) const {
  int64_t puts = --putsLeft, bytes = bytesLeft -= written;
  if (puts >= 0 && bytes >= 0)
    return false;
  putsLeft = putsBetween, bytesLeft = options.mostBytes / partBetween;
  return true;
}

void Store::prune(const std::string &kept) const {
  std::vector<Listed> entries;
  int64_t bytes = 0;
  std::time_t now = std::time(nullptr);
  for (Listed &file : filesIn(handle)) {
    if (isFileName(file.name)) {
      bytes += file.bytes;
      entries.push_back(std::move(file));
    } else if (isTemporaryName(file.name) &&
               file.used.tv_sec < now - abandonedSeconds) {
      ::unlinkat(handle, file.name.c_str(), 0);
    }
  }
  if (bytes <= options.mostBytes)
    return;
  std::sort(entries.begin(), entries.end());
  for (const Listed &entry : entries) {
    if (bytes <= options.mostBytes / 4 * 3)
      break;
    if (entry.name == kept)
      continue;
    if (!::unlinkat(handle, entry.name.c_str(), 0) || errno == ENOENT)
      bytes -= entry.bytes;
  }
}

/// A byte for each hit: processes that append at once each add theirs.
void Store::count(Kind kind) const {
  File file =
      File::open(handle, countName(kind), O_WRONLY | O_CREAT | O_APPEND);
  if (file)
    (void)file.write("+");
}

Statistics Store::statistics() const {
  Statistics statistics;
  for (const Listed &file : filesIn(handle)) {
    for (Kind kind : kinds)
      if (file.name == countName(kind))
        statistics.kinds[kind].hits = file.bytes;
    if (!isFileName(file.name))
      continue;
    File entry = File::open(handle, file.name, O_RDONLY | O_NONBLOCK);
    Result<std::string> bytes =
        entry ? entry.read(kindBytes) : Result<std::string>(Error{""});
    std::optional<Kind> kind = bytes ? kindOf(*bytes) : std::nullopt;
    if (!kind)
      continue;
    ++statistics.kinds[*kind].entries;
    statistics.kinds[*kind].bytes += file.bytes;
  }
  return statistics;
}
