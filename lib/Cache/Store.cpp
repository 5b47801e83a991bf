// See Store.h: opening, reading and writing. Pruning is a file of its own.
#include "attn/Cache/Store.h"

#include "File.h"

#include "attn/Support/Try.h"

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <unistd.h>

using namespace attn;
using namespace attn::cache;

/// No kernel comes near it; what says it has more is no entry.
static constexpr int64_t mostEntryBytes = int64_t(1) << 28;
/// Entries used within the last minute are not marked as used again.
static constexpr std::time_t markSeconds = 60;

static std::optional<std::string> variable(const char *name) {
  const char *value = std::getenv(name);
  return value && *value ? std::optional<std::string>(value) : std::nullopt;
}

/// One that is relative counts as none, as the XDG specification has it: it
/// would be another place for each working directory.
static std::optional<std::string> absoluteVariable(const char *name) {
  std::optional<std::string> value = variable(name);
  return value && value->front() == '/' ? value : std::nullopt;
}

std::optional<std::string> cache::defaultDirectory() {
  if (std::optional<std::string> given = variable("ATTN_CACHE_DIR"))
    return *given == "off" ? std::nullopt : given;
  if (std::optional<std::string> caches = absoluteVariable("XDG_CACHE_HOME"))
    return *caches + "/attn/kernels";
  if (std::optional<std::string> home = absoluteVariable("HOME"))
    return *home + "/.cache/attn/kernels";
  return std::nullopt;
}

/// The directory and those that it is in, as far as there are none.
static Result<void> makeDirectories(const std::string &path) {
  for (size_t end = 0; end != path.npos;) {
    end = path.find('/', end + 1);
    std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), S_IRWXU) && errno != EEXIST) {
      std::string why = systemError();
      // One that cannot be made may be there all the same, as on a file system
      // that is read only.
      if (::access(part.c_str(), F_OK))
        return Error{"'" + part + "' cannot be made: " + why};
    }
  }
  return {};
}

static Result<void> checkOwner(int handle, const std::string &path) {
  struct stat status {};
  if (::fstat(handle, &status))
    return Error{"'" + path + "' cannot be read: " + systemError()};
  if (status.st_uid != ::geteuid())
    return Error{"expects a directory of this user's (" +
                 std::to_string(::geteuid()) + "), '" + path + "' is of user " +
                 std::to_string(status.st_uid)};
  if (status.st_mode & (S_IWGRP | S_IWOTH))
    return Error{"expects a directory that only its owner may write to, '" +
                 path + "' is open to others (chmod 700 mends that)"};
  return {};
}

Result<std::shared_ptr<Store>> Store::open(Options options) {
  const std::string &path = options.directory;
  if (path.empty())
    return Error{"expects a directory, got no name"};
  ATTN_TRY(makeDirectories(path));
  File directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory)
    return Error{"'" + path + "' cannot be opened: " + systemError()};
  ATTN_TRY(checkOwner(directory.get(), path));
  int handle = ::fcntl(directory.get(), F_DUPFD_CLOEXEC, 0);
  if (handle < 0)
    return Error{"'" + path + "' cannot be opened: " + systemError()};
  return std::shared_ptr<Store>(new Store(std::move(options), handle));
}

Store::Store(Options options, int handle)
    : options(std::move(options)), handle(handle) {}

Store::~Store() { ::close(handle); }

void Store::complain(const std::string &what) const {
  if (!complained.exchange(true) && options.remark)
    options.remark("the cache in '" + options.directory + "': " + what);
}

/// Entries that are used are younger. One that is read only stays as old as it
/// is, which costs an entry at worst.
static void markAsUsed(const File &file) {
  struct stat status {};
  if (!::fstat(file.get(), &status) &&
      status.st_mtime < std::time(nullptr) - markSeconds)
    ::futimens(file.get(), nullptr);
}

/// Whether nobody else can have written it, or can yet: the directory may have
/// been open to others before it was closed to them.
static bool isOurs(const File &file) {
  struct stat status {};
  return !::fstat(file.get(), &status) && status.st_uid == ::geteuid() &&
         !(status.st_mode & (S_IWGRP | S_IWOTH)) && status.st_nlink == 1;
}

std::optional<std::string> Store::get(Kind kind, std::string_view key) const {
  std::string name = fileNameOf(kind, key);
  // Nobody waits for what a name may have been made to be.
  File file = File::open(handle, name, O_RDONLY | O_NONBLOCK);
  if (!file) {
    if (errno != ENOENT)
      complain("'" + name + "' cannot be read: " + systemError());
    return std::nullopt;
  }
  if (!isOurs(file)) {
    complain("'" + name + "' may be another user's, and is made again");
    ::unlinkat(handle, name.c_str(), 0);
    return std::nullopt;
  }
  Result<std::string> bytes = file.read(mostEntryBytes);
  if (!bytes) {
    complain("'" + name + "' cannot be read: " + bytes.error());
    return std::nullopt;
  }
  std::optional<std::string_view> payload = decode(*bytes, kind, key);
  if (!payload) {
    complain("'" + name + "' is damaged, and is made again");
    ::unlinkat(handle, name.c_str(), 0);
    return std::nullopt;
  }
  markAsUsed(file);
  count(kind);
  return std::string(*payload);
}

Result<void> Store::write(const std::string &name,
                          std::string_view bytes) const {
  // On a file system that machines share, others may have this process's
  // number.
  auto now = std::chrono::system_clock::now().time_since_epoch().count();
  std::string temporary = temporaryName(::getpid(), writes++, now);
  File file = File::open(handle, temporary, O_WRONLY | O_CREAT | O_EXCL);
  if (!file)
    return Error{systemError()};
  Result<void> done = file.write(bytes);
  if (done)
    done = file.finish();
  if (done && ::renameat(handle, temporary.c_str(), handle, name.c_str()))
    done = Error{systemError()};
  if (!done)
    ::unlinkat(handle, temporary.c_str(), 0);
  return done;
}

void Store::put(Kind kind, std::string_view key,
                std::string_view payload) const {
  std::string bytes = encode(kind, key, payload);
  if (static_cast<int64_t>(bytes.size()) >
      std::min(options.mostBytes, mostEntryBytes))
    return;
  std::string name = fileNameOf(kind, key);
  if (Result<void> written = write(name, bytes); !written)
    return complain("an entry cannot be written: " + written.error());
  if (isTimeToPrune(static_cast<int64_t>(bytes.size())))
    prune(name);
}
