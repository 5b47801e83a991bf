// What searches for schedules found, in the cache.
#ifndef ATTN_LIB_API_TUNINGFINDINGS_H
#define ATTN_LIB_API_TUNINGFINDINGS_H

#include "attn/Tuning/Search.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace attn {

namespace cache {
class Store;
}

/// What a whole search found.
struct Searched {
  double seconds = 0; ///< that it had; infinite: nothing was left to try
  int64_t known = 0;  ///< candidates that had entries then
  std::string best;   ///< empty: the first of them
};

/// Of one problem. Each candidate is an entry of its own: what one search adds
/// takes nothing from another, whatever either of them tries. Without a cache
/// nothing is kept.
class TuningFindings {
public:
  /// `problem`: all that times depend on but the build.
  explicit TuningFindings(const std::string &problem);

  std::optional<Verdict> of(const std::string &schedule) const;
  void keep(const std::string &schedule, const Verdict &verdict) const;

  /// The last search among just these: other lengths in a bucket may have
  /// others.
  std::optional<Searched>
  searched(const std::vector<std::string> &schedules) const;
  void keepSearched(const std::vector<std::string> &schedules,
                    const Searched &search) const;

private:
  std::optional<std::string> find(const std::string &what) const;
  void put(const std::string &what, const std::string &text) const;
  std::string keyOf(const std::string &what) const {
    return what + "\n" + problem;
  }

  std::shared_ptr<const cache::Store> store;
  std::string problem;
};

} // namespace attn

#endif // ATTN_LIB_API_TUNINGFINDINGS_H
