// What a run found out, as rows: the table, the CSV file and the summary.
#ifndef ATTN_BENCH_REPORT_H
#define ATTN_BENCH_REPORT_H

#include "Outcome.h"
#include "Table.h"

#include "attn/API/Result.h"

#include <cstdio>

namespace attn::bench {

/// One case. `outcomes` are in the order of the report's backends.
struct Row {
  std::string pattern, type, shape;
  std::vector<Outcome> outcomes;
  double allPairs = 0;
  std::optional<double> pairs; ///< unmasked ones, if counted
  double flopsPerPair = 0;
  std::string remark;
  Conditions conditions;
};

/// Collects rows, and writes each to the CSV file as it comes. The first
/// backend is `compiled`.
class Report {
public:
  explicit Report(std::vector<std::string> backends)
      : backends(std::move(backends)) {}
  ~Report();
  Report(const Report &) = delete;
  Report &operator=(const Report &) = delete;

  /// Whether `path` could be written, without changing anything.
  static Result<void> checkWritable(const std::string &path);

  /// Starts the CSV file, replacing an old one.
  Result<void> open(const std::string &path);
  Result<void> add(Row row);

  /// The table of all rows, and the speed-ups over each backend.
  std::string text() const;

  /// Whether a result was wrong or a backend failed.
  bool hasFault() const;

private:
  Cells header() const;
  Cells cells(const Row &) const;
  Cells summaryOf(size_t backend) const;

  std::vector<std::string> backends;
  std::vector<Row> rows;
  std::FILE *file = nullptr;
};

/// time(backend) / time(compiled), if both have one and there was work to do.
std::optional<double> speedup(const Row &, size_t backend);

} // namespace attn::bench

#endif // ATTN_BENCH_REPORT_H
