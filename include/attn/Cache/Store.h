// Entries as files of one directory, which any number of processes read and
// write at once, on any file system, without locks: an entry is one file that
// appears whole or not at all (written beside it, then renamed) and never
// changes; two that make the same one each have it, and one of the two is kept.
//
// What goes wrong with the cache is never an error of who uses it: what cannot
// be read is not there, what cannot be written is not kept, and the first time
// a remark says so.
#ifndef ATTN_CACHE_STORE_H
#define ATTN_CACHE_STORE_H

#include "attn/API/Result.h"
#include "attn/Cache/Entry.h"

#include <atomic>
#include <functional>
#include <map>
#include <memory>

namespace attn::cache {

/// Of all entries of a directory.
struct Statistics {
  struct OfKind {
    int64_t entries = 0, bytes = 0;
    int64_t hits = 0; ///< of all processes so far; lost ones are not counted
  };
  std::map<Kind, OfKind> kinds; ///< those that there are
};

/// Thread-safe.
class Store {
public:
  struct Options {
    std::string directory;
    /// Where entries take more, those that were not used for longest go, until
    /// they take three quarters of it. A store looks now and then: until it
    /// does, what it has written since may be a 64th too much.
    int64_t mostBytes = int64_t(1) << 30;
    /// Told of the first thing that goes wrong, and of nothing after that.
    std::function<void(const std::string &)> remark;
  };

  /// Makes the directory, for its owner alone, if there is none. Errors: it
  /// cannot be made; it is another user's, or others may write to it: they
  /// could have this user run their code.
  static Result<std::shared_ptr<Store>> open(Options options);
  ~Store();
  Store(const Store &) = delete;

  /// The payload of an entry that is whole. One that is not is removed.
  std::optional<std::string> get(Kind kind, std::string_view key) const;
  /// Keeps an entry, and makes room for it.
  void put(Kind kind, std::string_view key, std::string_view payload) const;

  Statistics statistics() const;
  const std::string &directory() const { return options.directory; }

private:
  Store(Options options, int handle);
  Result<void> write(const std::string &name, std::string_view bytes) const;
  bool isTimeToPrune(int64_t written) const;
  void prune(const std::string &kept) const;
  void count(Kind kind) const;
  void complain(const std::string &what) const;

  Options options;
  int handle; ///< of the directory: it stays the one that was looked at
  mutable std::atomic<bool> complained{false};
  mutable std::atomic<uint64_t> writes{0};
  /// What may be written before the directory is looked through: at first
  /// nothing.
  mutable std::atomic<int64_t> putsLeft{0}, bytesLeft{0};
};

/// The directory that the environment asks for: ATTN_CACHE_DIR, else
/// `attn/kernels` in the user's directory for caches (XDG_CACHE_HOME, else
/// ~/.cache). Nullopt:
/// ATTN_CACHE_DIR is `off`, or there is no such directory.
std::optional<std::string> defaultDirectory();

/// The directory that processes of this environment use, and what it holds, as
/// a table for a reader; or why there is none.
std::string describe();

} // namespace attn::cache

#endif // ATTN_CACHE_STORE_H
