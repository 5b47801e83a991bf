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

bool attn::isLasting(const std::string &failure) {
  for (const char *passing : {"out of memory", "out of GPU memory",
                              "CUDA_ERROR_", "cannot be loaded"})
    if (failure.find(passing) != failure.npos)
      return false;
  return true;
}

namespace {
class Search {
public:
  Search(Candidates &candidates, const SearchOptions &options)
      : candidates(candidates), options(options), start(options.clock()) {
    result.verdicts.resize(candidates.count());
    samples.resize(candidates.count());
    prepared.resize(candidates.count());
    inTurns.resize(candidates.count());
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
    // Where one of the fastest fails in them, or is slower than it was, those
    // behind it may be the fastest.
    std::vector<size_t> turns = remaining();
    do {
      runRounds(turns);
      ATTN_TRY(checkFirst());
      turns = remaining();
    } while (hasTime(1) && maySurprise(turns));
    return {};
  }

  /// What is known of it may be of longer than a short look.
  Result<void> lookAtFirst() {
    bool isKnown = hasTimeOf(0);
    result.verdicts[0].reset();
    look(0);
    if (hasTimeOf(0) && !isKnown)
      keep(0);
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
    expectNext(i);
    do {
      if (!sample(i))
        return;
      if (i > 0 && samples[i].back() > hopeless * fastest())
        break;
    } while (samples[i].size() < shortSamples && hasTime(1));
    conclude(i);
    if (i > 0)
      keep(i);
    if (median(i) > shortSlack * fastest())
      drop(i);
  }

  void expectNext(size_t i) {
    if (!hasTime(shortShare))
      return;
    size_t expected = 0;
    for (++i; i < candidates.count() && expected < candidates.ahead(); ++i)
      if (!result.verdicts[i]) {
        candidates.expect(i);
        ++expected;
      }
  }

  bool prepare(size_t i) {
    if (prepared[i])
      return true;
    Result<void> ready = candidates.prepare(i);
    if (ready)
      return prepared[i] = true;
    fail(i, ready.error());
    if (isLasting(ready.error()))
      keep(i);
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
    if (i == result.best)
      result.best = 0;
    drop(i);
  }

  void conclude(size_t i) {
    result.verdicts[i] = Verdict{Quartiles::of(samples[i]), ""};
  }
  void keep(size_t i) { candidates.keep(i, *result.verdicts[i]); }

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

  /// The first, the best of the rounds so far, and the fastest others that may
  /// be faster.
  std::vector<size_t> remaining() {
    std::vector<size_t> order;
    auto isBest = [&](size_t i) { return i == result.best; };
    for (size_t i = 1; i < result.verdicts.size(); ++i)
      if (hasTimeOf(i) && (isBest(i) || median(i) <= shortSlack * fastest()))
        order.push_back(i);
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return median(a) < median(b); });
    std::stable_partition(order.begin(), order.end(), isBest);
    for (size_t k = finalists; k < order.size(); ++k)
      drop(order[k]);
    order.resize(std::min(order.size(), finalists));
    order.insert(order.begin(), 0);
    return order;
  }

  /// Whether one of them was in no rounds, and seems faster than their best.
  bool maySurprise(const std::vector<size_t> &turns) const {
    return std::any_of(turns.begin(), turns.end(), [&](size_t i) {
      return !inTurns[i] && median(i) <= (1 - leastGain) * median(result.best);
    });
  }

  /// Samples in turns, so that a clock that changes meanwhile changes for all;
  /// those of the short look, and of earlier searches, do not count. Without
  /// the time for some turns nothing changes.
  void runRounds(std::vector<size_t> turns) {
    for (size_t i : turns)
      samples[i].clear();
    size_t taken = 0;
    while (taken < finalSamples && takeTurn(turns))
      ++taken;
    if (taken < shortSamples || turns.empty() || turns.front() != 0)
      return;
    for (size_t i : turns) {
      conclude(i);
      keep(i);
      inTurns[i] = true;
    }
    choose(turns);
    result.isDecided = true;
  }

  /// A sample of each; who has none is out. False: there was no time for all.
  bool takeTurn(std::vector<size_t> &turns) {
    for (auto next = turns.begin(); next != turns.end();) {
      if (!hasTime(1))
        return false;
      next = prepare(*next) && sample(*next) ? next + 1 : turns.erase(next);
    }
    return true;
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
  std::vector<bool> inTurns; ///< were sampled so, by this search
  bool failedToRun = false;  ///< something did, since the first ran last
};
} // namespace

Result<SearchResult> attn::search(Candidates &candidates,
                                  const SearchOptions &options) {
  return Search(candidates, options).run();
}
