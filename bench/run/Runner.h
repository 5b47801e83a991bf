// Runs cases: checks every backend's result, then times those that passed in
// turns, so that a change of clock or load meets all of them.
#ifndef ATTN_BENCH_RUN_RUNNER_H
#define ATTN_BENCH_RUN_RUNNER_H

#include "backends/Backend.h"
#include "cases/Work.h"
#include "measure/Rounds.h"
#include "results/Row.h"
#include "run/CaseData.h"
#include "run/GradientData.h"

namespace attn::bench {

struct RunnerOptions {
  TimingOptions timing;
  bool backward = false; ///< whether backward passes are checked and timed
  /// Whether those of captures are made as well, by backends that have them.
  bool captureGradients = false;
  /// What all times of a measurement are divided by: more than 1 where nobody
  /// looks at the figures.
  double haste = 1;
};

class Runner {
public:
  /// The first backend is the one that the others are compared with.
  Runner(Device &device, std::vector<std::unique_ptr<Backend>> backends,
         const RunnerOptions &options = {});

  /// Is told what runs now ("checking math", "timing math").
  std::function<void(const std::string &)> onStep = [](const std::string &) {};

  /// What the backends compute with, as far as they know by now, without what
  /// several share.
  std::vector<std::string> versions() const;

  /// What the backends have compiled by now.
  std::vector<KernelCount> kernels() const;

  /// Measures one case. Everything that goes wrong is in the row.
  Row run(const Case &);
  /// The row of a case in which the process crashed before: `how`.
  Row rowOfCrash(const Case &, const std::string &how);

private:
  /// A row in which all backends have the same outcome.
  Row rowWithout(const Case &, Outcome::Kind kind, const std::string &remark);
  void onPass(const char *verb, const Backend &, Pass);
  Result<void> runOnce(Backend &, Pass, const Result<void> &poisoned);
  std::vector<Contestant> sample(Pass, const std::vector<Backend *> &);
  Outcome check(Backend &, CaseData &);
  std::optional<double> mathError(const Row &, CaseData &);
  void judge(Row &, CaseData &);
  void countTiles(Row &, TileListSource &, CaseData &);
  void addLists(Row &, Pass);
  void countWork(Row &, const Case &, const CaseData &);
  void measure(Row &, const Case &, CaseData &);
  void measureForward(Row &);
  Backward checkBackward(Backend &, GradientData &);
  void measureBackward(Row &, const Case &, CaseData &);

  Device &device;
  RunnerOptions options;
  std::vector<std::unique_ptr<Backend>> backends;
  /// What errors are judged by where `math` is not among the backends.
  std::unique_ptr<Backend> yardstick;
  InputPoolCache pools;
  WorkCounter work;
};

} // namespace attn::bench

#endif // ATTN_BENCH_RUN_RUNNER_H
