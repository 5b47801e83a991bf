// Keeps the rows of a run, in memory and on disk: nothing that was measured is
// lost, and two runs do not mix.
//
// For `save_path: results.csv` there are
//   results.csv      a row as soon as its case ends
//   results.journal  the same rows with everything, and which case has begun,
//                    while the run is unfinished; it carries the lock, and
//                    --resume continues from it
//   results.json     everything, when the run ends
//   results.html     the report for a browser, when the run ends
#ifndef ATTN_BENCH_RUN_RECORDER_H
#define ATTN_BENCH_RUN_RECORDER_H

#include "report/Columns.h"
#include "results/JSON.h"
#include "results/Journal.h"
#include "results/OutputPaths.h"

#include <mutex>

namespace attn::bench {

class Recorder {
public:
  /// Keeps rows in memory only.
  explicit Recorder(RunInfo run) { results.run = std::move(run); }
  ~Recorder();

  /// Takes possession of the save path. Errors: it cannot be written; another
  /// process writes to it; an unfinished run is there and `start` is Fresh;
  /// Resume, and the unfinished run is another one.
  static Result<std::unique_ptr<Recorder>> open(const std::string &savePath,
                                                RunInfo run, Start start);

  /// Whether rows of an earlier run are there; then the run's description is
  /// that run's.
  bool isResumed() const { return resumed; }
  /// Whether the run that was to be resumed had ended with all its cases.
  bool isFinished() const { return results.complete; }
  bool has(size_t index) const;
  /// How the process that is resumed ended in the case, which is then not to be
  /// run again; empty: it did not.
  std::string crashOf(size_t index) const;

  /// Starts the files. Called once, before the first add().
  Result<void> begin(const Ceilings &);
  /// A case begins, whose row add() will bring.
  Result<void> beginCase(size_t index);
  /// Keeps a row. `interrupted`: not for good; --resume measures it again.
  Result<void> add(size_t index, const Row &row, bool interrupted);
  /// What this process compiled; a run that was resumed knows no more.
  void setKernels(std::vector<KernelCount> kernels) {
    results.kernels = std::move(kernels);
  }
  /// Adds to the run's description, or replaces what it said.
  void setFact(const std::string &name, const std::string &value);
  /// Writes the JSON file and the report. `complete`: every case was measured.
  Result<void> finish(bool complete);

  const RunInfo &run() const { return results.run; }
  const std::vector<KernelCount> &kernels() const { return results.kernels; }
  /// All rows, in the order of the cases. Another thread may ask.
  std::vector<Row> rows() const;
  /// Null if there are none, or none but a stream.
  const OutputPaths *outputs() const { return journal ? &*paths : nullptr; }
  /// What notes of crashes go to; -1: nothing.
  int journalFile() const { return journal ? journal->file() : -1; }

private:
  Result<void> readJournal(Start start);
  Result<void> readFinished(Start start);
  Result<void> writeCSV() const;
  Result<void> appendToCSV(const Row &row) const;
  void dropCrashed();
  std::vector<Row> allRows() const;

  Results results;
  std::optional<OutputPaths> paths;
  std::unique_ptr<Journal> journal; ///< null for a stream
  int stream = -1;                  ///< the CSV file, where that is one
  std::optional<Columns> columns;   ///< of the CSV file as it is
  bool resumed = false;
  mutable std::mutex mutex; ///< of `results.rows`
};

} // namespace attn::bench

#endif // ATTN_BENCH_RUN_RECORDER_H
