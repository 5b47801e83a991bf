// See Search.h.
#include "attn/Tuning/Search.h"

#include "attn/Support/Try.h"

#include <algorithm>

using namespace attn;

/// Samples of the short look.
static constexpr size_t shortSamples = 3;
/// By how much the short look may be worse than the best one.
static constexpr double shortSlack = 1.15;
/// So much slower in one sample, it is not looked at again.
static constexpr double hopeless = 2;
/// Who remains for the rounds, besides the first.
static constexpr size_t finalists = 3;
/// Samples of each of them.
static constexpr size_t finalSamples = 15;
/// The part of the time that short looks have.
static constexpr double shortShare = 0.8;
/// What another must gain.
static constexpr double leastGain = 0.02;

Quartiles Quartiles::of(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  size_t last = samples.size() - 1;
  return {samples[last / 4], samples[last / 2], samples[last - last / 4]};
}

namespace {
class Search {
public:
  Search(Candidates &candidates, const SearchOptions &options)
      : candidates(candidates), options(options), start(options.clock()) {
    result.verdicts.resize(candidates.count());
    samples.resize(candidates.count());
    prepared.resize(candidates.count());
  }

  Result<SearchResult> run() {
    for (size_t i = 0; i < candidates.count(); ++i)
      result.verdicts[i] = candidates.known(i);
    if (options.seconds > 0)
      ATTN_TRY(search());
    return std::move(result);
  }

private:
  bool hasTime(double share) const {
    return options.clock() - start < share * options.seconds;
  }

  Result<void> search() {
    ATTN_TRY(lookAtFirst());
    for (size_t i = 1; i < candidates.count() && hasTime(shortShare); ++i)
      if (!result.verdicts[i]) {
        look(i);
        ATTN_TRY(checkFirst());
      }
    // Where one of the fastest fails in them, those behind it are the fastest.
    bool done = false;
    while (!done) {
      done = runRounds(remaining()) || !hasTime(1);
      ATTN_TRY(checkFirst());
    }
    return {};
  }

  Result<void> lookAtFirst() {
    result.verdicts[0].reset();
    look(0);
    return checkFirst();
  }

  /// What all others are held against runs. A failure may be one of the device,
  /// and that of all that comes after it.
  Result<void> checkFirst() {
    if (failedToRun && hasTimeOf(0)) {
      failedToRun = false;
      if (Result<double> seconds = candidates.time(0); !seconds)
        result.verdicts[0] = Verdict{std::nullopt, seconds.error()};
    }
    if (hasTimeOf(0))
      return {};
    return Error{result.verdicts[0]->failure};
  }

  /// Compiles, and takes the short look.
  void look(size_t i) {
    if (!prepare(i))
      return;
    do {
      if (!sample(i))
        return;
      if (i > 0 && samples[i].back() > hopeless * fastest())
        break;
    } while (samples[i].size() < shortSamples && hasTime(1));
    conclude(i);
    if (median(i) > shortSlack * fastest())
      drop(i);
  }

  bool prepare(size_t i) {
    if (prepared[i])
      return true;
    Result<void> ready = candidates.prepare(i);
    if (ready)
      return prepared[i] = true;
    fail(i, ready.error());
    candidates.keep(i, *result.verdicts[i]);
    return false;
  }

  /// A failure is not kept: it may be the device's.
  bool sample(size_t i) {
    Result<double> seconds = candidates.time(i);
    if (seconds) {
      samples[i].push_back(*seconds);
      return true;
    }
    failedToRun = true;
    fail(i, seconds.error());
    return false;
  }

  void fail(size_t i, const std::string &why) {
    result.verdicts[i] = Verdict{std::nullopt, why};
    drop(i);
  }

  void conclude(size_t i) {
    result.verdicts[i] = Verdict{Quartiles::of(samples[i]), ""};
    candidates.keep(i, *result.verdicts[i]);
  }

  void drop(size_t i) {
    if (i == 0) // what all others are held against
      return;
    prepared[i] = false;
    candidates.drop(i);
  }

  bool hasTimeOf(size_t i) const {
    return result.verdicts[i] && result.verdicts[i]->time;
  }
  double median(size_t i) const { return result.verdicts[i]->time->median; }

  double fastest() const {
    double least = median(0);
    for (size_t i = 0; i < result.verdicts.size(); ++i)
      if (hasTimeOf(i))
        least = std::min(least, median(i));
    return least;
  }

  /// The first, and the fastest others that may be faster.
  std::vector<size_t> remaining() {
    std::vector<size_t> order;
    for (size_t i = 1; i < result.verdicts.size(); ++i)
      if (hasTimeOf(i) && median(i) <= shortSlack * fastest())
        order.push_back(i);
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return median(a) < median(b); });
    for (size_t k = finalists; k < order.size(); ++k)
      drop(order[k]);
    order.resize(std::min(order.size(), finalists));
    order.insert(order.begin(), 0);
    return order;
  }

  /// Samples in turns, so that a clock that changes meanwhile changes for all;
  /// those of the short look, and of earlier searches, do not count. Without
  /// the time for some turns the first stays. Gives whether none failed.
  bool runRounds(std::vector<size_t> turns) {
    size_t before = turns.size(), taken = 0;
    for (size_t i : turns)
      samples[i].clear();
    auto isOut = [&](size_t i) { return !prepare(i) || !sample(i); };
    for (; taken < finalSamples && hasTime(1); ++taken)
      turns.erase(std::remove_if(turns.begin(), turns.end(), isOut),
                  turns.end());
    if (taken >= shortSamples && !turns.empty() && turns.front() == 0) {
      for (size_t i : turns)
        conclude(i);
      choose(turns);
      result.isDecided = true;
    }
    return turns.size() == before;
  }

  void choose(const std::vector<size_t> &turns) {
    const Quartiles &first = *result.verdicts[0]->time;
    double least = (1 - leastGain) * first.median;
    result.best = 0;
    for (size_t i : turns) {
      if (median(i) > least || result.verdicts[i]->time->high >= first.low)
        continue;
      least = median(i), result.best = i;
    }
  }

  Candidates &candidates;
  const SearchOptions &options;
  double start;
  SearchResult result;
  std::vector<std::vector<double>> samples;
  std::vector<bool> prepared;
  bool failedToRun = false; ///< something did, since the first ran last
};
} // namespace

Result<SearchResult> attn::search(Candidates &candidates,
                                  const SearchOptions &options) {
  return Search(candidates, options).run();
}
