// tune(): candidates that are kernels, the search among them, and what the
// cache knows of earlier ones.
#include "attn/API/Tune.h"

#include "../Launch/CUDALaunch.h"
#include "../Launch/CaptureViews.h"
#include "CodeCache.h"
#include "CodeKey.h"
#include "HostTarget.h"
#include "ScheduleCandidates.h"
#include "Stopwatch.h"

#include "attn/API/Tiles.h"
#include "attn/Cache/BuildId.h"
#include "attn/Runtime/ThreadPool.h"
#include "attn/Support/Try.h"
#include "attn/Tuning/Search.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <limits>
#include <map>

using namespace attn;

double Tuning::gain() const {
  for (const TriedSchedule &one : tried)
    if (one.schedule == schedule && one.seconds > 0)
      return chosen.seconds / one.seconds;
  return 1;
}

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

//===--- what is kept -----------------------------------------------------===//

static std::string textOf(const Verdict &verdict) {
  if (!verdict.time)
    return "failure " + verdict.failure;
  char text[128];
  std::snprintf(text, sizeof(text), "time %.9g %.9g %.9g", verdict.time->low,
                verdict.time->median, verdict.time->high);
  return text;
}

static std::optional<Verdict> verdictFrom(const std::string &text) {
  static constexpr char failure[] = "failure ";
  if (text.rfind(failure, 0) == 0)
    return Verdict{std::nullopt, text.substr(sizeof(failure) - 1)};
  Quartiles time;
  if (std::sscanf(text.c_str(), "time %lf %lf %lf", &time.low, &time.median,
                  &time.high) != 3)
    return std::nullopt;
  return Verdict{time, ""};
}

/// What a whole search found.
struct Searched {
  double seconds = 0; ///< that it had; infinite: nothing was left to try
  int64_t known = 0;  ///< candidates that had entries then
  std::string best;   ///< empty: what is chosen by rule
};

namespace {
/// Each candidate is an entry of its own: what one search adds takes nothing
/// from another, whatever either of them tries.
class Findings {
public:
  explicit Findings(const std::string &problem)
      : store(cache::buildId().empty() ? nullptr : codeStore()),
        problem("build " + cache::buildId() + "\n" + problem) {}

  std::optional<Verdict> of(const std::string &schedule) const {
    std::optional<std::string> text = find("schedule " + schedule);
    return text ? verdictFrom(*text) : std::nullopt;
  }
  void keep(const std::string &schedule, const Verdict &verdict) const {
    put("schedule " + schedule, textOf(verdict));
  }

  /// The last search among just these: other lengths in a bucket may have
  /// others.
  std::optional<Searched>
  searched(const std::vector<std::string> &schedules) const {
    std::optional<std::string> text = find(searchOf(schedules));
    if (!text)
      return std::nullopt;
    Searched search;
    char *end = nullptr;
    search.seconds = std::strtod(text->c_str(), &end);
    search.known = std::strtoll(end, &end, 10);
    search.best = *end == ' ' ? end + 1 : end;
    return search;
  }
  void keepSearched(const std::vector<std::string> &schedules,
                    const Searched &search) const {
    put(searchOf(schedules), std::to_string(search.seconds) + " " +
                                 std::to_string(search.known) + " " +
                                 search.best);
  }

private:
  static std::string searchOf(const std::vector<std::string> &schedules) {
    std::string all = "search";
    for (const std::string &schedule : schedules)
      all += "\n" + schedule;
    return all;
  }
  std::optional<std::string> find(const std::string &what) const {
    return store ? store->get(cache::Kind::Time, keyOf(what)) : std::nullopt;
  }
  void put(const std::string &what, const std::string &text) const {
    if (store)
      store->put(cache::Kind::Time, keyOf(what), text);
  }
  std::string keyOf(const std::string &what) const {
    return what + "\n" + problem;
  }

  std::shared_ptr<const cache::Store> store;
  std::string problem;
};

//===--- candidates -------------------------------------------------------===//

/// What all candidates are run with.
struct Problem {
  const Mod &mod;
  const KernelSpec &spec;
  AttentionArguments arguments;
  ProblemSizes sizes;
  cuda::Context context; ///< null on a CPU
};

/// One that is compiled and has its lists.
struct Loaded {
  AttentionKernel kernel;
  TileLists lists;
  int runs = 0; ///< of a sample; 0: it has not run yet

  Result<void> run(const Problem &problem) const {
    AttentionArguments arguments = problem.arguments;
    arguments.tiles = lists ? &lists : nullptr;
    return kernel.run(arguments);
  }
};

class KernelCandidates final : public Candidates {
public:
  KernelCandidates(const Problem &problem, const Findings &findings,
                   std::vector<std::string> schedules, Stopwatch &watch)
      : problem(problem), findings(findings), schedules(std::move(schedules)),
        watch(watch) {}

  size_t count() const override { return schedules.size(); }
  std::optional<Verdict> known(size_t i) override {
    return findings.of(schedules[i]);
  }
  Result<void> prepare(size_t i) override;
  void expect(size_t i) override;
  Result<double> time(size_t i) override;
  void drop(size_t i) override { loaded.erase(i); }
  void keep(size_t i, const Verdict &verdict) override {
    findings.keep(schedules[i], verdict);
  }

private:
  Result<AttentionKernel> compile(size_t i) const;
  Result<AttentionKernel> take(size_t i);
  Result<double> makeReady(Loaded &one) const;

  const Problem &problem;
  const Findings &findings;
  std::vector<std::string> schedules;
  Stopwatch &watch;
  std::map<size_t, Loaded> loaded;
  /// On another thread, while the GPU is timed.
  std::future<Result<AttentionKernel>> ahead;
  size_t aheadOf = 0;
};
} // namespace

Result<AttentionKernel> KernelCandidates::compile(size_t i) const {
  KernelSpec spec = problem.spec;
  if (i > 0)
    spec.schedule = schedules[i];
  // On a CPU nobody asks for a driver.
  std::optional<cuda::ContextScope> scope;
  if (problem.context)
    scope.emplace(problem.context);
  ATTN_TRY_ASSIGN(AttentionKernel kernel,
                  AttentionKernel::compile(problem.mod, spec));
  ATTN_TRY(kernel.prepare(problem.sizes));
  ATTN_TRY_ASSIGN(int64_t spilled, kernel.spilledBytes(problem.sizes));
  if (i > 0 && spilled > 0)
    return Error{"spills " + std::to_string(spilled) + " bytes of a thread"};
  return kernel;
}

/// A CPU is busy with what is timed.
void KernelCandidates::expect(size_t i) {
  if (problem.spec.target == Target::CPU || ahead.valid())
    return;
  aheadOf = i;
  ahead = std::async(std::launch::async, [this, i] { return compile(i); });
}

Result<AttentionKernel> KernelCandidates::take(size_t i) {
  return ahead.valid() && aheadOf == i ? ahead.get() : compile(i);
}

/// Lists of tiles, and so many runs for a sample that a clock sees them. Gives
/// the seconds of one.
Result<double> KernelCandidates::makeReady(Loaded &one) const {
  constexpr double leastSeconds = 0.5e-3, longSeconds = 0.1;
  constexpr int mostRuns = 100;
  if (one.kernel.needsTileLists()) {
    ATTN_TRY_ASSIGN(one.lists, one.kernel.findTiles(problem.sizes,
                                                    problem.arguments.captures,
                                                    problem.arguments.stream));
  }
  auto run = [&] { return one.run(problem); };
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
  ATTN_TRY_ASSIGN(AttentionKernel kernel, take(i));
  loaded.insert_or_assign(i, Loaded{std::move(kernel), {}});
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
                  watch.time(one.runs, [&] { return one.run(problem); }));
  return seconds / one.runs;
}

//===--- the search -------------------------------------------------------===//

static double now() {
  using Clock = std::chrono::steady_clock;
  return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

static ProblemSizes sizesOf(const AttentionArguments &a) {
  ProblemSizes sizes;
  sizes.batch = a.query.sizes[0];
  sizes.heads = a.query.sizes[1], sizes.kvHeads = a.key.sizes[1];
  sizes.queries = a.query.sizes[2];
  sizes.keys = a.pages ? a.pages->sizes[1] * a.key.sizes[2] : a.key.sizes[2];
  return sizes;
}

/// Whether a run computes anything.
static bool isEmpty(const ProblemSizes &s) {
  return s.batch * s.heads * s.queries * s.keys == 0;
}

static Tuning tuningOf(const std::vector<std::string> &schedules,
                       const SearchResult &found) {
  Tuning tuning;
  tuning.candidates = static_cast<int64_t>(schedules.size()) - 1;
  for (size_t i = 0; i < schedules.size(); ++i) {
    TriedSchedule one{schedules[i], 0, ""};
    if (const std::optional<Verdict> &verdict = found.verdicts[i]) {
      one.seconds = verdict->time ? verdict->time->median : 0;
      one.failure = verdict->failure;
    } else if (i > 0) {
      continue;
    }
    i == 0 ? (void)(tuning.chosen = std::move(one))
           : tuning.tried.push_back(std::move(one));
  }
  if (found.best > 0)
    tuning.schedule = schedules[found.best];
  return tuning;
}

static int64_t countKnown(const std::vector<std::optional<Verdict>> &verdicts) {
  return std::count_if(verdicts.begin(), verdicts.end(),
                       [](const auto &one) { return one.has_value(); });
}

static std::vector<std::optional<Verdict>>
knownOf(const Findings &findings, const std::vector<std::string> &schedules) {
  std::vector<std::optional<Verdict>> verdicts;
  for (const std::string &schedule : schedules)
    verdicts.push_back(findings.of(schedule));
  return verdicts;
}

/// What a search that was no shorter found, if all that it kept is there.
static std::optional<SearchResult>
earlierSearch(const Findings &findings,
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

static void keepSearch(const Findings &findings,
                       const std::vector<std::string> &schedules,
                       const SearchResult &found, double seconds) {
  Searched search;
  search.known = countKnown(knownOf(findings, schedules));
  bool isAll = found.isDecided && search.known == int64_t(schedules.size());
  search.seconds = isAll ? std::numeric_limits<double>::infinity() : seconds;
  search.best = found.best ? schedules[found.best] : "";
  findings.keepSearched(schedules, search);
}

/// The problem is not empty; its context is current.
static Result<Tuning> searchFor(const Problem &problem,
                                const TuneOptions &options) {
  ATTN_TRY_ASSIGN(
      ScheduleCandidates candidates,
      scheduleCandidates(problem.mod, problem.spec, problem.sizes,
                         haveUnitStrides(problem.arguments.captures)));
  ATTN_TRY_ASSIGN(std::string machine, machineKey(problem.spec.target));
  Findings findings(bucketOf(problem.sizes) + "\n" + machine + "\n" +
                    candidates.key);
  ATTN_TRY_ASSIGN(
      std::unique_ptr<Stopwatch> watch,
      createStopwatch(problem.spec.target, problem.arguments.stream));
  KernelCandidates kernels(problem, findings, candidates.schedules, *watch);
  if (std::optional<SearchResult> before =
          earlierSearch(findings, candidates.schedules, options.seconds)) {
    Tuning tuning = tuningOf(candidates.schedules, *before);
    tuning.isFromCache = true;
    return tuning;
  }
  ATTN_TRY_ASSIGN(SearchResult found,
                  search(kernels, SearchOptions{options.seconds, now}));
  if (options.seconds > 0)
    keepSearch(findings, candidates.schedules, found, options.seconds);
  return tuningOf(candidates.schedules, found);
}

/// The context of the problem is current.
static Result<Tuning> tuneHere(const Problem &problem,
                               const TuneOptions &options) {
  // What is wrong with the arguments, the kernel that is chosen by rule says.
  ATTN_TRY_ASSIGN(AttentionKernel chosen,
                  AttentionKernel::compile(problem.mod, problem.spec));
  ATTN_TRY(chosen.run(problem.arguments));
  return isEmpty(problem.sizes) ? Tuning() : searchFor(problem, options);
}

static Result<Tuning> tuneOnGPU(Problem problem, const TuneOptions &options) {
  ATTN_TRY_ASSIGN(cuda::Context asked, contextOf(problem.spec));
  cuda::ContextScope scope(asked);
  problem.context = cuda::currentContext();
  ATTN_TRY_ASSIGN(bool capturing, isCapturing(problem.arguments.stream));
  if (capturing)
    return Error{"expects a stream that is not being captured to tune on"};
  return tuneHere(problem, options);
}

Result<Tuning> attn::tune(const Mod &mod, const KernelSpec &spec,
                          const AttentionArguments &arguments,
                          const TuneOptions &options) {
  if (!spec.schedule.empty())
    return Error{"expects a spec without a schedule to tune, got '" +
                 spec.schedule + "'"};
  if (spec.invariant)
    return Error{"expects no KernelSpec::invariant to tune: its results do not "
                 "depend on what was timed"};
  Problem problem{mod, spec, arguments, sizesOf(arguments), nullptr};
  // Such as suit one kernel.
  problem.arguments.tiles = nullptr;
  problem.arguments.workspace = {};
  return spec.target == Target::CUDA ? tuneOnGPU(std::move(problem), options)
                                     : tuneHere(problem, options);
}
