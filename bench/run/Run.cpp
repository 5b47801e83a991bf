// Case after case.
#include "run/Run.h"

#include "backends/Registry.h"
#include "run/Ceilings.h"
#include "run/Progress.h"
#include "run/Runner.h"
#include "support/CrashNote.h"
#include "support/Interrupt.h"

#include "attn/Support/Try.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

using namespace attn;
using namespace attn::bench;

std::string attn::bench::describeCases(const std::vector<Case> &cases,
                                       Target target, size_t backends,
                                       double tuning) {
  std::vector<Cells> rows;
  double total = 0;
  for (const Case &item : cases) {
    double seconds = secondsExpected(item, target, backends) + tuning;
    bool runs = item.refusal.empty();
    total += runs ? seconds : 0;
    rows.push_back(
        {item.mod->label, toString(item.type), item.shape,
         item.asked.batch ? formatBytes(bytesNeeded(item, target)) : "",
         runs ? formatDuration(seconds) : "", item.refusal});
  }
  return markdownTable({"attn_type", "dtype", "shape(B,Hq,M,Hkv,N,D)", "memory",
                        "estimated time", "remarks"},
                       rows) +
         "\n" + std::to_string(cases.size()) +
         (cases.size() == 1 ? " case, about " : " cases, about ") +
         formatDuration(total) + " (estimated)\n";
}

/// The time that each case still needs.
static std::vector<double> expectedSeconds(const std::vector<Case> &cases,
                                           const Device &device,
                                           const Recorder &recorder,
                                           double tuning) {
  std::vector<double> seconds;
  for (size_t i = 0; i < cases.size(); ++i)
    seconds.push_back(
        recorder.has(i) || !cases[i].refusal.empty()
            ? 0
            : tuning + secondsExpected(cases[i], device.target(),
                                       recorder.run().backends.size()));
  return seconds;
}

/// What the runner does not know: how a report names and repeats the case.
static void describe(Row &row, const Case &item, const std::string &repeat) {
  row.sizes = item.sizes;
  row.elementBytes = byteWidth(item.type);
  row.repeat = repeat;
}

/// Runs one case and keeps its row; or says that the process crashed in it.
static Result<void> measureCase(Runner &runner, const Case &item, size_t index,
                                const std::string &repeat, Recorder &recorder) {
  if (std::string how = recorder.crashOf(index); !how.empty()) {
    std::fprintf(stderr,
                 "attn-bench: note: the run crashed in %s: %s; it is not run "
                 "again, but with --retry-crashed\n",
                 labelOf(item).c_str(), how.c_str());
    Row row = runner.rowOfCrash(item, how);
    describe(row, item, repeat);
    return recorder.add(index, row, /*interrupted=*/false);
  }
  ATTN_TRY(recorder.beginCase(index));
  beginCase(recorder.journalFile(), index, labelOf(item));
  Row row = runner.run(item);
  describe(row, item, repeat);
  bool interrupted = isInterrupted();
  if (interrupted)
    noteLeft();
  endCase();
  return recorder.add(index, row, interrupted);
}

/// Tests that look at no figures do not wait for them.
static double hasteOfTests() {
  const char *haste = std::getenv("ATTN_BENCH_HASTE");
  return haste ? std::max(1.0, std::atof(haste)) : 1;
}

/// Less time, and on a processor less work for it.
static CeilingSizes ceilingSizesInHaste(Target target, double haste) {
  CeilingSizes sizes = ceilingSizes(target);
  sizes.seconds /= haste;
  if (target == Target::CPU) {
    sizes.matrix = static_cast<int64_t>(sizes.matrix / std::cbrt(haste));
    sizes.copyBytes = static_cast<int64_t>(sizes.copyBytes / haste);
  }
  return sizes;
}

Result<void> attn::bench::runCases(const Config &config,
                                   const std::vector<Case> &cases,
                                   const std::vector<std::string> &repeats,
                                   Device &device, Recorder &recorder) {
  RunnerOptions runnerOptions;
  runnerOptions.haste = hasteOfTests();
  Ceilings ceilings;
  CeilingSizes sizes =
      ceilingSizesInHaste(device.target(), runnerOptions.haste);
  if (recorder.outputs() && !recorder.isResumed())
    ceilings = measureCeilings(device, config.types, sizes);
  ATTN_TRY(recorder.begin(ceilings));
  BackendOptions options;
  options.schedules = config.schedules;
  options.exact = config.exact;
  options.python = config.python;
  options.workerTimeout = static_cast<double>(config.workerTimeout);
  options.deterministic = config.deterministic;
  options.torch = {config.maxAutotune, config.dynamic, config.deterministic};
  if (tunesCompiled(config))
    options.tuneSeconds =
        static_cast<double>(config.tuneSeconds) / runnerOptions.haste;
  std::vector<std::unique_ptr<Backend>> backends =
      createBackends(recorder.run().backends, device, options);
  runnerOptions.timing.hot = config.hot;
  runnerOptions.backward = config.backward;
  runnerOptions.captureGradients = config.captureGradients;
  Runner runner(device, std::move(backends), runnerOptions);
  Progress progress(expectedSeconds(
      cases, device, recorder, secondsToTune(config) / runnerOptions.haste));
  runner.onStep = [&](const std::string &what) {
    noteStep(what);
    progress.step(what);
  };
  for (size_t i = 0; i < cases.size() && !isInterrupted(); ++i) {
    if (recorder.has(i))
      continue;
    progress.start(i, cases[i]);
    ATTN_TRY(measureCase(runner, cases[i], i, repeats[i], recorder));
    progress.finish();
  }
  std::string versions;
  for (const std::string &text : runner.versions())
    versions += (versions.empty() ? "" : "; ") + text;
  if (config.backward)
    recorder.setFact("gradients",
                     config.deterministic ? "deterministic" : "in any order");
  recorder.setKernels(runner.kernels());
  recorder.setFact("worker", versions);
  recorder.setFact("libraries", loadedLibraries());
  return recorder.finish(/*complete=*/!isInterrupted());
}
