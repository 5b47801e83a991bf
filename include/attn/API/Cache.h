// Where a process keeps compiled kernels for the next one (docs/Cache.md).
//
// A program that says nothing here has a cache where the environment names a
// directory for it (ATTN_CACHE_DIR), and none otherwise: a library writes no
// files that nobody asked for. The tools call useCache().
#ifndef ATTN_API_CACHE_H
#define ATTN_API_CACHE_H

#include <cstdint>
#include <functional>
#include <string>

namespace attn {

struct CacheOptions {
  /// Empty: ATTN_CACHE_DIR, where `off` is none, else `attn/kernels` in the
  /// user's directory for caches (XDG_CACHE_HOME, ~/.cache).
  std::string directory;
  /// Of all entries. Beyond it those that were not used for longest go.
  int64_t mostBytes = int64_t(1) << 30;
  /// Told once of what goes wrong with the cache, which is no error: kernels
  /// are compiled then. Null: a line of standard error says it.
  std::function<void(const std::string &)> remark;
};

/// Kernels compiled from now on come from this cache, or go there.
void useCache(CacheOptions options = {});
/// From now on they do not.
void useNoCache();

/// Where they are. Empty: there is no cache.
std::string cacheDirectory();

/// What all threads of this process did so far: pieces of code that were
/// compiled, and that came from the cache instead. A kernel has one, and others
/// for launches that take other variants and for its lists of tiles.
struct CodeCounts {
  int64_t compiled = 0, cached = 0;
};
CodeCounts codeCounts();

} // namespace attn

#endif // ATTN_API_CACHE_H
