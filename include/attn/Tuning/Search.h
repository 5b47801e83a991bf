// Finding the fastest of some candidates within a time, by successive halving:
// a short look at each, and longer ones, in turns, at those that remain. What a
// candidate is, and how it is timed, others know.
#ifndef ATTN_TUNING_SEARCH_H
#define ATTN_TUNING_SEARCH_H

#include "attn/API/Result.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace attn {

/// Samples of one candidate, in seconds.
struct Quartiles {
  double low = 0, median = 0, high = 0;

  /// `samples`: at least one.
  static Quartiles of(std::vector<double> samples);
};

/// What is known of a candidate: a time, which decides who is sampled in turns
/// with others and no more, or why it has none.
struct Verdict {
  std::optional<Quartiles> time;
  std::string failure;
};

/// Whether another search would find the same: memory may be free by then, and
/// what a driver says of a call may be of the device.
bool isLasting(const std::string &failure);

/// The candidates of a search; the first is what is chosen without one.
class Candidates {
public:
  virtual ~Candidates() = default;
  virtual size_t count() const = 0;
  /// What an earlier search found; nullopt: nothing.
  virtual std::optional<Verdict> known(size_t) { return std::nullopt; }
  /// Compiles and loads one. Errors: it does not compile, spills, ...
  virtual Result<void> prepare(size_t) = 0;
  /// How many it is good to know of in advance.
  virtual size_t ahead() const { return 1; }
  /// It is one of those that are prepared next, if there is time: that may
  /// begin already.
  virtual void expect(size_t) {}
  /// A sample of one that is prepared: seconds of a run. Errors: it does not
  /// run.
  virtual Result<double> time(size_t) = 0;
  /// It will not be timed again.
  virtual void drop(size_t) {}
  /// What this search found of one that others need not find again.
  virtual void keep(size_t, const Verdict &) {}
};

struct SearchOptions {
  double seconds = 5; ///< all of it, compiling as well; 0: nothing is tried
  /// Of now, since any moment.
  std::function<double()> clock;
};

struct SearchResult {
  /// The first, unless another is 2% faster for certain, in turns with it.
  size_t best = 0;
  /// Whether there was time to sample those that may be the fastest in turns.
  bool isDecided = false;
  std::vector<std::optional<Verdict>> verdicts; ///< nullopt: not tried
};

/// Errors: those of the first candidate.
Result<SearchResult> search(Candidates &candidates,
                            const SearchOptions &options);

} // namespace attn

#endif // ATTN_TUNING_SEARCH_H
