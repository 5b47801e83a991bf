// See TunedPass.h: candidates that are kernels, and the search among them.
#include "TunedPass.h"

#include "../Launch/CUDALaunch.h"
#include "CodeKey.h"
#include "HostTarget.h"
#include "Stopwatch.h"

#include "attn/Runtime/ThreadPool.h"
#include "attn/Support/Try.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <future>
#include <limits>
#include <map>
#include <set>

using namespace attn;

//===--- what times depend on ---------------------------------------------===//

static Result<std::string> machineKey(Target target) {
  if (target == Target::CPU) {
    ATTN_TRY_ASSIGN(mlir::attn::CPUTarget cpu, hostTarget());
    return "cpu " + keyOf(cpu) + ", " + std::to_string(hostThreads().size()) +
           " threads";
  }
  ATTN_TRY_ASSIGN(cuda::Device device, cuda::currentDevice());
  ATTN_TRY_ASSIGN(cuda::DeviceInfo info, cuda::deviceInfo(device));
  return "gpu " + info.name + ", " + std::to_string(info.multiprocessors) +
         " multiprocessors, memory at " + std::to_string(info.memoryKHz) +
         " kHz, driver " + std::to_string(info.driverVersion);
}

/// Launches with the same one have the same fastest schedule, or nearly so.
static std::string bucketOf(const ProblemSizes &sizes) {
  auto log = [](int64_t number) {
    return std::to_string(static_cast<int>(std::log2(double(number))));
  };
  return "rows 2^" + log(sizes.batch * sizes.heads * sizes.queries) +
         ", queries 2^" + log(sizes.queries) + ", keys 2^" + log(sizes.keys) +
         ", heads that share keys " +
         std::to_string(sizes.heads / sizes.kvHeads);
}

Result<std::string> attn::tuningKey(const TunedPass &pass,
                                    const std::string &key) {
  ATTN_TRY_ASSIGN(std::string machine, machineKey(pass.launch.spec.target));
  return bucketOf(pass.launch.sizes) + "\n" + machine + "\n" + key;
}

//===--- candidates -------------------------------------------------------===//

namespace {
/// One that is compiled.
struct Loaded {
  std::unique_ptr<TunedPass::Kernels> kernels;
  int runs = 0; ///< of a sample; 0: it has not run yet
};

class KernelCandidates final : public Candidates {
public:
  KernelCandidates(const TunedPass &pass, const TuningFindings &findings,
                   const std::vector<std::string> &schedules, bool isRule,
                   Stopwatch &watch);

  size_t count() const override { return schedules.size(); }
  std::optional<Verdict> known(size_t i) override {
    return findings.of(schedules[i]);
  }
  Result<void> prepare(size_t i) override;
  size_t ahead() const override { return workers; }
  void expect(size_t i) override;
  Result<double> time(size_t i) override;
  void drop(size_t i) override { loaded.erase(i); }
  void keep(size_t i, const Verdict &verdict) override {
    findings.keep(schedules[i], verdict);
  }

private:
  using Compiled = Result<std::unique_ptr<TunedPass::Kernels>>;

  Compiled compile(const Mod &mod, size_t i) const;
  void start(size_t i);
  Compiled take(size_t i);
  Result<double> makeReady(Loaded &one) const;

  const TunedPass &pass;
  const TuningFindings &findings;
  const std::vector<std::string> &schedules;
  bool isRule; ///< the first
  Stopwatch &watch;
  std::map<size_t, Loaded> loaded;
  /// Where one of several kernels is varied, the others may spill. The first is
  /// prepared before all others.
  int64_t spilledByFirst = 0;
  size_t workers; ///< that compile at once
  /// What is prepared next, and which of it other threads compile: while a GPU
  /// is timed, or before a CPU is.
  std::set<size_t> expected;
  std::map<size_t, std::future<Compiled>> started;
};
} // namespace

KernelCandidates::KernelCandidates(const TunedPass &pass,
                                   const TuningFindings &findings,
                                   const std::vector<std::string> &schedules,
                                   bool isRule, Stopwatch &watch)
    : pass(pass), findings(findings), schedules(schedules), isRule(isRule),
      watch(watch),
      // The thread that times wants a core of its own.
      workers(std::clamp<size_t>(hostThreads().size() / 2, 1, 8)) {}

KernelCandidates::Compiled KernelCandidates::compile(const Mod &mod,
                                                     size_t i) const {
  // On a CPU nobody asks for a driver.
  std::optional<cuda::ContextScope> scope;
  if (pass.context)
    scope.emplace(pass.context);
  return pass.compile(mod, i == 0 && isRule ? "" : schedules[i]);
}

/// By another thread, which takes no turns on the mod.
void KernelCandidates::start(size_t i) {
  if (!started.count(i))
    started[i] = std::async(std::launch::async, [this, i]() -> Compiled {
      ATTN_TRY_ASSIGN(Mod own, pass.launch.mod.copy());
      return compile(own, i);
    });
}

void KernelCandidates::expect(size_t i) {
  expected.insert(i);
  if (pass.launch.spec.target == Target::CUDA)
    start(i);
}

/// A CPU is busy with what is timed: all that are expected are compiled at
/// once, and then no other.
KernelCandidates::Compiled KernelCandidates::take(size_t i) {
  if (!expected.count(i))
    return compile(pass.launch.mod, i);
  if (!started.count(i)) {
    for (size_t next : expected)
      start(next);
    for (auto &[next, compiled] : started)
      compiled.wait();
  }
  Compiled taken = started.at(i).get();
  started.erase(i);
  expected.erase(i);
  return taken;
}

/// As many runs for a sample as a clock sees. Gives the seconds of one.
Result<double> KernelCandidates::makeReady(Loaded &one) const {
  constexpr double leastSeconds = 0.5e-3, longSeconds = 0.1;
  constexpr int mostRuns = 100;
  ATTN_TRY(one.kernels->makeReady());
  auto run = [&] { return one.kernels->run(); };
  ATTN_TRY_ASSIGN(double seconds, watch.time(1, run));
  // The first run loads what is loaded late, of which a long one is little.
  if (seconds < longSeconds) {
    ATTN_TRY_ASSIGN(seconds, watch.time(1, run));
  }
  double runs = std::ceil(leastSeconds / std::max(seconds, 1e-9));
  one.runs = static_cast<int>(std::clamp<double>(runs, 1, mostRuns));
  return seconds;
}

Result<void> KernelCandidates::prepare(size_t i) {
  ATTN_TRY_ASSIGN(std::unique_ptr<TunedPass::Kernels> kernels, take(i));
  ATTN_TRY_ASSIGN(int64_t spilled, kernels->spilledBytes());
  if (i == 0)
    spilledByFirst = spilled;
  if (spilled > spilledByFirst)
    return Error{"spills " + std::to_string(spilled) + " bytes of a thread"};
  loaded.insert_or_assign(i, Loaded{std::move(kernels)});
  return {};
}

Result<double> KernelCandidates::time(size_t i) {
  Loaded &one = loaded.at(i);
  if (!one.runs) {
    ATTN_TRY_ASSIGN(double seconds, makeReady(one));
    if (one.runs == 1) // which is a sample
      return seconds;
  }
  ATTN_TRY_ASSIGN(double seconds,
                  watch.time(one.runs, [&] { return one.kernels->run(); }));
  return seconds / one.runs;
}

//===--- the search -------------------------------------------------------===//

static int64_t countKnown(const std::vector<std::optional<Verdict>> &verdicts) {
  return std::count_if(verdicts.begin(), verdicts.end(),
                       [](const auto &one) { return one.has_value(); });
}

static std::vector<std::optional<Verdict>>
knownOf(const TuningFindings &findings,
        const std::vector<std::string> &schedules) {
  std::vector<std::optional<Verdict>> verdicts;
  for (const std::string &schedule : schedules)
    verdicts.push_back(findings.of(schedule));
  return verdicts;
}

/// What a search that was no shorter found, if all that it kept is there.
static std::optional<SearchResult>
earlierSearch(const TuningFindings &findings,
              const std::vector<std::string> &schedules, double seconds) {
  std::optional<Searched> before = findings.searched(schedules);
  if (!before || seconds > before->seconds)
    return std::nullopt;
  SearchResult found;
  found.verdicts = knownOf(findings, schedules);
  if (seconds > 0 && countKnown(found.verdicts) < before->known)
    return std::nullopt;
  if (!before->best.empty()) {
    auto best = std::find(schedules.begin() + 1, schedules.end(), before->best);
    if (best == schedules.end())
      return std::nullopt;
    found.best = best - schedules.begin();
  }
  // What it gained is told by both.
  for (size_t i : {size_t(0), found.best})
    if (!found.verdicts[i] || !found.verdicts[i]->time)
      return std::nullopt;
  return found;
}

static void keepSearch(const TuningFindings &findings,
                       const std::vector<std::string> &schedules,
                       const SearchResult &found, double seconds) {
  Searched search;
  search.known = countKnown(knownOf(findings, schedules));
  bool isAll = found.isDecided && search.known == int64_t(schedules.size());
  search.seconds = isAll ? std::numeric_limits<double>::infinity() : seconds;
  search.best = found.best ? schedules[found.best] : "";
  findings.keepSearched(schedules, search);
}

Result<Found> attn::searchSchedules(const TunedPass &pass,
                                    const TuningFindings &findings,
                                    const std::vector<std::string> &schedules,
                                    bool isRule, SearchTime time) {
  ATTN_TRY_ASSIGN(std::unique_ptr<Stopwatch> watch,
                  createStopwatch(pass.launch.spec.target, pass.stream));
  if (std::optional<SearchResult> before =
          earlierSearch(findings, schedules, time.asked))
    return Found{std::move(*before), /*isFromCache=*/true};
  KernelCandidates kernels(pass, findings, schedules, isRule, *watch);
  auto now = [] {
    std::chrono::duration<double> elapsed =
        std::chrono::steady_clock::now().time_since_epoch();
    return elapsed.count();
  };
  ATTN_TRY_ASSIGN(SearchResult found,
                  search(kernels, SearchOptions{time.seconds, now}));
  if (time.asked > 0)
    keepSearch(findings, schedules, found, time.asked);
  return Found{std::move(found)};
}

//===--- what comes of it -------------------------------------------------===//

static TriedSchedule triedOf(const std::string &schedule,
                             const std::optional<Verdict> &verdict) {
  TriedSchedule one{schedule, 0, ""};
  if (verdict) {
    one.seconds = verdict->time ? verdict->time->median : 0;
    one.failure = verdict->failure;
  }
  return one;
}

TriedSchedule attn::firstOf(const std::vector<std::string> &schedules,
                            const Found &found) {
  return triedOf(schedules[0], found.result.verdicts[0]);
}

void attn::addFound(Tuning &tuning, const std::vector<std::string> &schedules,
                    const Found &found) {
  const auto &[best, isDecided, verdicts] = found.result;
  tuning.candidates += static_cast<int64_t>(schedules.size()) - 1;
  for (size_t i = 1; i < schedules.size(); ++i)
    if (verdicts[i])
      tuning.tried.push_back(triedOf(schedules[i], verdicts[i]));
  if (best == 0)
    return;
  tuning.schedule = schedules[best];
  // The winner of one search is the first of the next.
  tuning.gain *= verdicts[0]->time->median / verdicts[best]->time->median;
}
