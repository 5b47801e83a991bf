// Rows and runs as JSON: lines of the journal, and the file with everything.
#ifndef ATTN_BENCH_RESULTS_JSON_H
#define ATTN_BENCH_RESULTS_JSON_H

#include "results/Row.h"
#include "results/RunInfo.h"

namespace attn::bench {

/// What the journal knows of a case that was begun and has no row.
struct Unended {
  int times = 0;     ///< how often it was begun without an end
  std::string crash; ///< how it ended the process; empty: not known
};

/// A run and those of its cases that have a row.
struct Results {
  RunInfo run;
  /// Rows with their place among the run's cases, ascending.
  std::vector<std::pair<size_t, Row>> rows;
  bool complete = false; ///< whether every case has its row
  /// What was compiled, by the process that ended the run.
  std::vector<KernelCount> kernels;
  std::string finished; ///< when it was written
  /// Of a journal: cases without a row, by index, and the lines that were read.
  std::map<size_t, Unended> unended;
  size_t lines = 0;

  /// Adds the row of a case, or replaces it.
  const Row &setRow(size_t index, Row row);
};

/// Everything, for programs: indented, samples in full.
std::string toJSON(const Results &);

/// The same for the HTML report: one line, without samples, and safe inside of
/// a <script> element.
std::string toEmbeddedJSON(const Results &);

/// Reads what toJSON() wrote. Errors: not JSON, with the place; another
/// version of the format; a member that is missing or has another type.
Result<Results> resultsFromJSON(const std::string &text);

/// Reads a journal: what there is of an unfinished run. Errors: no journal.
/// Lines from the first broken one on are left out; of two rows of a case the
/// later one counts.
Result<Results> resultsFromJournal(const std::vector<std::string> &lines);

/// Lines of a journal, without the line break.
std::string toLine(const RunInfo &);
std::string toLine(size_t index, const Row &,
                   const std::vector<std::string> &backends);
Result<RunInfo> runFromLine(const std::string &);
Result<std::pair<size_t, Row>>
rowFromLine(const std::string &, const std::vector<std::string> &backends);

} // namespace attn::bench

#endif // ATTN_BENCH_RESULTS_JSON_H
