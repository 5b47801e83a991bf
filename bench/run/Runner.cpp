// The life of a case.
#include "run/Runner.h"

#include "backends/Registry.h"
#include "backends/TileListSource.h"
#include "measure/Cycle.h"
#include "measure/Nvml.h"
#include "references/Check.h"
#include "support/Interrupt.h"

#include "attn/Support/Try.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>

using namespace attn;
using namespace attn::bench;

static bool isMath(const Backend &backend) {
  return !std::strcmp(backend.name(), "math");
}

Runner::Runner(Device &device, std::vector<std::unique_ptr<Backend>> all,
               const RunnerOptions &options)
    : device(device), options(options), backends(std::move(all)) {
  TimingOptions &timing = this->options.timing;
  timing.warmupSeconds = device.warmupSeconds() / options.haste;
  timing.turnSeconds /= options.haste, timing.maxSeconds /= options.haste;
  this->options.timing.paced = device.isPaced();
  if (device.isPaced())
    this->options.timing.minRounds = kPacedRounds;
  bool hasMath = std::any_of(backends.begin(), backends.end(),
                             [](const auto &b) { return isMath(*b); });
  if (!hasMath)
    yardstick = std::move(createBackends({"math"}, device, {}).front());
}

std::vector<std::string> Runner::versions() const {
  std::vector<std::string> texts;
  for (const std::unique_ptr<Backend> &backend : backends)
    if (std::string text = backend->versions();
        !text.empty() &&
        std::find(texts.begin(), texts.end(), text) == texts.end())
      texts.push_back(text);
  return texts;
}

std::vector<KernelCount> Runner::kernels() const {
  std::vector<KernelCount> counts;
  for (const std::unique_ptr<Backend> &backend : backends)
    for (KernelCount &count : backend->kernels())
      counts.push_back(std::move(count));
  return counts;
}

static Outcome::Kind kindOf(Refusal::Kind kind) {
  switch (kind) {
  case Refusal::Unavailable:
    return Outcome::Unavailable;
  case Refusal::Unsupported:
    return Outcome::Unsupported;
  case Refusal::OutOfMemory:
    return Outcome::OutOfMemory;
  case Refusal::Failed:
    break;
  }
  return Outcome::Failed;
}

Row Runner::rowWithout(const Case &item, Outcome::Kind kind,
                       const std::string &remark) {
  Row row;
  row.pattern = item.mod->label;
  row.type = toString(item.type);
  row.shape = item.shape;
  Outcome outcome;
  outcome.kind = kind;
  row.outcomes.assign(backends.size(), outcome);
  row.remark = remark;
  return row;
}

Row Runner::rowOfCrash(const Case &item, const std::string &how) {
  Row row = rowWithout(item, Outcome::Failed,
                       "crashed: " + how + "; --retry-crashed runs it again");
  row.crashed = true;
  return row;
}

/// Says what is done with a backend's pass.
void Runner::onPass(const char *verb, const Backend &backend, Pass pass) {
  onStep(std::string(verb) + " " + backend.name() +
         (pass == Pass::Backward ? " backward" : ""));
}

/// Runs a pass, the results of which were `poisoned`, and waits for its end.
Result<void> Runner::runOnce(Backend &backend, Pass pass,
                             const Result<void> &poisoned) {
  ATTN_TRY(poisoned);
  ATTN_TRY(backend.run(pass));
  return device.synchronize();
}

/// Times a pass of backends that passed its check, against each other.
std::vector<Contestant> Runner::sample(Pass pass,
                                       const std::vector<Backend *> &passed) {
  std::vector<Contestant> contestants;
  for (Backend *backend : passed)
    contestants.push_back({[this, pass, backend](const TurnOptions &turn) {
                             onPass("timing", *backend, pass);
                             return backend->time(device, pass, turn);
                           },
                           {},
                           ""});
  sampleInRounds(contestants, options.timing);
  return contestants;
}

/// Prepares a backend and runs it once into a poisoned output.
Outcome Runner::check(Backend &backend, CaseData &data) {
  onPass("checking", backend, Pass::Forward);
  Outcome outcome;
  outcome.kind = Outcome::Failed;
  auto failed = [&](const std::string &reason) {
    outcome.reason = reason;
    if (isInterrupted() && outcome.kind == Outcome::Failed)
      outcome.kind = Outcome::Interrupted; // what failed because of that
    return outcome;
  };
  if (std::optional<Refusal> refusal = backend.prepare(data.problem())) {
    outcome.kind = kindOf(refusal->kind);
    return failed(refusal->reason);
  }
  outcome.compileSeconds = backend.compileSeconds(Pass::Forward);
  outcome.cachedSeconds = backend.cachedSeconds(Pass::Forward);
  if (Result<void> ran = runOnce(backend, Pass::Forward, data.out().poison());
      !ran)
    return failed(ran.error());
  Result<std::vector<std::byte>> bytes = data.out().readBack();
  if (!bytes)
    return failed(bytes.error());
  Difference difference =
      compare(hostView(data.out().view(), *bytes), data.reference());
  outcome.kind = Outcome::Timed;
  outcome.maxError = difference.value;
  // The place is of interest only if the error turns out to be too large.
  char place[128];
  auto [b, h, q, d] = difference.at;
  std::snprintf(place, sizeof(place), "at (%lld,%lld,%lld,%lld)",
                static_cast<long long>(b), static_cast<long long>(h),
                static_cast<long long>(q), static_cast<long long>(d));
  return failed(place);
}

/// The error of `math`, if it has one that can serve as a yardstick.
std::optional<double> Runner::mathError(const Row &row, CaseData &data) {
  double bound = yardstickBound(data.largestOutput());
  std::optional<double> error;
  if (yardstick) {
    error = check(*yardstick, data).maxError;
    yardstick->finish();
  }
  for (size_t i = 0; i < backends.size(); ++i)
    if (isMath(*backends[i]))
      error = row.outcomes[i].maxError;
  bool meaningful = data.hasPreciseReference();
  return meaningful && error && *error <= bound ? error : std::nullopt;
}

/// Marks the results that are wrong.
void Runner::judge(Row &row, CaseData &data) {
  double largest = data.largestOutput();
  const ProblemSizes &sizes = data.problem().sizes;
  double bound = errorBound(data.problem().type, largest, mathError(row, data),
                            std::max(sizes.queries, sizes.keys));
  for (size_t i = 0; i < backends.size(); ++i) {
    Outcome &outcome = row.outcomes[i];
    if (outcome.kind != Outcome::Timed)
      continue;
    double limit = isMath(*backends[i]) ? yardstickBound(largest) : bound;
    if (*outcome.maxError <= limit) { // False for a NaN.
      outcome.reason = backends[i]->remark();
      continue;
    }
    char text[160];
    std::snprintf(text, sizeof(text), "error %.2e exceeds %.2e ",
                  *outcome.maxError, limit);
    outcome.kind = Outcome::Wrong;
    outcome.reason =
        (std::isnan(*outcome.maxError) ? "NaN " : std::string(text)) +
        outcome.reason;
  }
}

/// Times the forward passes of the backends whose results are right.
void Runner::measureForward(Row &row) {
  std::vector<Backend *> passed;
  std::vector<Outcome *> outcomes;
  for (size_t i = 0; i < backends.size(); ++i) {
    if (row.outcomes[i].kind != Outcome::Timed)
      continue;
    outcomes.push_back(&row.outcomes[i]);
    passed.push_back(backends[i].get());
  }
  std::vector<Contestant> contestants = sample(Pass::Forward, passed);
  for (size_t i = 0; i < contestants.size(); ++i) {
    Outcome &outcome = *outcomes[i];
    if (!contestants[i].error.empty()) {
      outcome.kind = Outcome::Failed;
      outcome.reason = contestants[i].error;
      continue;
    }
    outcome.timing = std::move(contestants[i].timing);
    outcome.seconds = outcome.timing.median();
    if (outcome.timing.samples.empty())
      outcome.kind = Outcome::Interrupted;
  }
}

/// Both remarks, or the one that is not empty.
static std::string joined(const std::string &first, const std::string &second) {
  return first + (first.empty() || second.empty() ? "" : "; ") + second;
}

/// Runs one backend's backward pass and compares what it gives.
Backward Runner::checkBackward(Backend &backend, GradientData &data) {
  onPass("checking", backend, Pass::Backward);
  Backward result;
  result.check = Backward::Failed;
  auto failed = [&](const std::string &reason) {
    result.reason = reason;
    if (isInterrupted() && result.check == Backward::Failed)
      result.check = Backward::NotRun; // what failed because of that
    return result;
  };
  if (std::optional<Refusal> refusal =
          backend.prepareBackward(data.gradients())) {
    if (refusal->kind != Refusal::Failed)
      result.check = Backward::NotRun;
    return failed(refusal->reason);
  }
  result.compileSeconds = backend.compileSeconds(Pass::Backward);
  result.cachedSeconds = backend.cachedSeconds(Pass::Backward);
  if (Result<void> ran = runOnce(backend, Pass::Backward, data.poison()); !ran)
    return failed(ran.error());
  Result<GradientError> error = data.compare(backend.hasCaptureGradients());
  if (!error)
    return failed(error.error());
  result.check = Backward::Unchecked;
  if (!data.reference().isThere())
    return failed(data.reference().whyNot());
  result.check = Backward::Passed;
  result.maxError = error->error;
  if (error->share <= 1) // False for a NaN.
    return failed(joined(backend.backwardRemark(), data.reference().remark()));
  result.check = Backward::Wrong;
  char text[160];
  std::snprintf(text, sizeof(text), "%s: error %.2e exceeds %.2e",
                error->of.c_str(), error->error, error->bound);
  return failed(text);
}

/// Checks and times the backward passes of the backends that have one.
void Runner::measureBackward(Row &row, const Case &item, CaseData &data) {
  std::string reason;
  std::unique_ptr<GradientData> gradients;
  if (item.sizes.queries == 1) {
    reason = "decoding has no backward pass";
  } else {
    auto made =
        GradientData::create(device, data.problem(), pools.get(item.type)[0],
                             options.captureGradients);
    if (made)
      gradients = std::move(*made);
    else
      reason = "no gradients: " + made.error();
  }
  std::vector<Backend *> passed;
  std::vector<Backward *> results;
  for (size_t i = 0; i < backends.size() && !isInterrupted(); ++i) {
    Outcome &outcome = row.outcomes[i];
    if (outcome.kind != Outcome::Timed)
      continue;
    outcome.backward = Backward();
    outcome.backward->reason = reason;
    if (!gradients)
      continue;
    outcome.backward = checkBackward(*backends[i], *gradients);
    if (outcome.backward->check != Backward::Passed &&
        outcome.backward->check != Backward::Unchecked)
      continue;
    results.push_back(&*outcome.backward);
    passed.push_back(backends[i].get());
  }
  std::vector<Contestant> contestants = sample(Pass::Backward, passed);
  for (size_t i = 0; i < contestants.size(); ++i) {
    results[i]->timing = std::move(contestants[i].timing);
    if (contestants[i].error.empty())
      continue;
    results[i]->check = Backward::Failed;
    results[i]->reason = contestants[i].error;
  }
  // They may still refer to the gradients.
  for (std::unique_ptr<Backend> &backend : backends)
    backend->finish();
}

/// Measures the backends that gave right results, and notes the clocks.
void Runner::measure(Row &row, const Case &item, CaseData &data) {
  using Clock = std::chrono::steady_clock;
  Conditions &conditions = row.conditions;
  conditions.before = device.state();
  Clock::time_point start = Clock::now();
  measureForward(row);
  if (options.backward && !isInterrupted())
    measureBackward(row, item, data);
  conditions.seconds =
      std::chrono::duration<double>(Clock::now() - start).count();
  conditions.after = device.state();
  if (conditions.before && conditions.after)
    conditions.throttled = throttlingBetween(
        *conditions.before, *conditions.after, conditions.seconds);
}

/// What a kernel visits, and what it costs to list that.
void Runner::countTiles(Row &row, TileListSource &source, CaseData &data) {
  TileListSource::TileSize size = source.tileSize();
  const Problem &problem = data.problem();
  Result<TileCounts> tiles = work.countTiles(
      *problem.mod, problem.sizes, data.hostCaptures(), size.query, size.key);
  if (tiles) {
    row.quantities.push_back({"tiles visited", tiles->visited()});
    row.quantities.push_back({"of tiles", tiles->all});
  } else {
    row.remark = tiles.error();
  }
  if (!source.makesLists()) {
    row.quantities.push_back({"lists (us)", 0});
    return;
  }
  TurnOptions turnOptions;
  turnOptions.hot = options.timing.hot;
  turnOptions.seconds = options.timing.turnSeconds;
  turnOptions.warmupSeconds /= options.haste;
  Result<Turn> turn =
      device.time([&] { return source.makeLists(); }, turnOptions);
  if (!turn || turn->samples.empty())
    return;
  Timing lists;
  lists.samples = turn->samples;
  row.quantities.push_back({"lists (us)", lists.median() * 1e6});
}

/// What backends say of the lists that they made beforehand.
void Runner::addLists(Row &row, Pass pass) {
  for (size_t i = 0; i < backends.size(); ++i)
    if (std::optional<double> lists = backends[i]->listsSeconds(pass);
        lists && timingOf(row, i, pass))
      row.quantities.push_back(
          {std::string(pass == Pass::Forward ? "lists_" : "bwd_lists_") +
               backends[i]->name() + " (us)",
           *lists * 1e6});
}

/// How many pairs and bytes there are to compute with and to move.
void Runner::countWork(Row &row, const Case &item, const CaseData &data) {
  const ProblemSizes &s = item.sizes;
  const Mod &mod = item.mod->mod;
  double keys = 0;
  for (int64_t b = 0; b < s.batch; ++b)
    keys += static_cast<double>(data.problem().keysOf(b));
  row.allPairs = s.heads * s.queries * keys;
  row.flopsPerPair = 2.0 * (s.headDim + s.valueDim);
  if (isInterrupted())
    return;
  if (!mod.hasMask())
    row.pairs = row.allPairs;
  else if (auto pairs = work.countPairs(mod, s, data.hostCaptures()))
    row.pairs = static_cast<double>(*pairs);
  else
    row.remark = pairs.error();
  Result<double> read =
      work.countKeysRead(mod, s, data.hostCaptures(), s.kvHeads * keys);
  double queries = double(s.batch) * s.heads * s.queries;
  if (read)
    row.bytes = (*read + queries) * double(s.headDim + s.valueDim) *
                byteWidth(item.type);
}

Row Runner::run(const Case &item) {
  if (!item.refusal.empty())
    return rowWithout(item, Outcome::Skipped, item.refusal);
  double needed = bytesNeeded(item, device.target());
  double free = static_cast<double>(device.freeBytes());
  if (needed > free)
    return rowWithout(item, Outcome::Skipped,
                      "skipped: needs " + formatBytes(needed) + ", " +
                          formatBytes(free) + " free");
  onStep("computing the reference");
  Result<std::unique_ptr<CaseData>> data =
      CaseData::create(device, item, pools.get(item.type));
  if (!data)
    return rowWithout(item, Outcome::Failed, data.error());

  Row row = rowWithout(item, Outcome::Interrupted, "");
  for (size_t i = 0; i < backends.size() && !isInterrupted(); ++i)
    row.outcomes[i] = check(*backends[i], **data);
  judge(row, **data);
  measure(row, item, **data);
  countWork(row, item, **data);
  if (!isInterrupted()) {
    auto compiled =
        std::find_if(backends.begin(), backends.end(), [](const auto &backend) {
          return backend->tileLists() != nullptr;
        });
    if (compiled != backends.end() &&
        row.outcomes[compiled - backends.begin()].kind == Outcome::Timed)
      countTiles(row, *(*compiled)->tileLists(), **data);
    for (Pass pass : {Pass::Forward, Pass::Backward})
      addLists(row, pass);
  }
  for (std::unique_ptr<Backend> &backend : backends)
    backend->finish();
  return row;
}
