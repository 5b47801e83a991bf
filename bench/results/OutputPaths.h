// Where a run's files are: what `--save-path` says, and what lies beside it.
#ifndef ATTN_BENCH_RESULTS_OUTPUTPATHS_H
#define ATTN_BENCH_RESULTS_OUTPUTPATHS_H

#include "attn/API/Result.h"

#include <string>

namespace attn::bench {

/// The files of a run. `run.csv`, `run.json`, `run.html` and `run.journal` name
/// the same ones; any other name is that of the CSV file.
struct OutputPaths {
  std::string csv, json, html;
  /// Beside what a symbolic link leads to: it carries the lock, and the file is
  /// the same by all its names.
  std::string journal;
  /// The CSV file is a pipe, a device or the like: it gets all rows at the end,
  /// and there is no other file.
  bool isStream = false;

  /// Errors: links that lead nowhere.
  static Result<OutputPaths> of(const std::string &savePath);

  /// Whether the files could be written, without changing any.
  Result<void> checkWritable() const;
};

/// What to do with an unfinished run that has the same save path.
enum class Start {
  Fresh,    ///< refuse, so that it is not lost
  Resume,   ///< continue it
  Retry,    ///< the same, and measure cases again that crashed
  Overwrite ///< drop it
};

} // namespace attn::bench

#endif // ATTN_BENCH_RESULTS_OUTPUTPATHS_H
