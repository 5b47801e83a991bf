// Which columns a report has, and what a row puts into them. People and
// programs want different ones: the table is narrow and has words where there
// is no number; the CSV file starts with upstream's columns and has `nan`
// there.
#ifndef ATTN_BENCH_REPORT_COLUMNS_H
#define ATTN_BENCH_REPORT_COLUMNS_H

#include "report/Table.h"
#include "results/Row.h"

#include <set>

namespace attn::bench {

class Columns {
public:
  /// `rows` decide whether there are columns of the backward pass, which
  /// quantities have one, and the table's unit of rates. `readRate`: bytes per
  /// second that the device can read, of which rows have their share; 0: not
  /// measured.
  Columns(const std::vector<std::string> &backends,
          const std::vector<Row> &rows, double readRate = 0);

  /// The table has no columns for a backend that took no case.
  Cells tableHeader() const;
  Cells tableCells(const Row &) const;
  Cells csvHeader() const;
  Cells csvCells(const Row &) const;

  /// What there is to say of a row beside the table: its own remark, and each
  /// backend's, with the status of those that have no column.
  std::vector<std::string> notes(const Row &) const;

  /// Whether the row has something that no column shows.
  bool lacks(const Row &) const;

private:
  std::vector<Pass> passes() const;
  bool isShown(size_t backend, Pass) const;
  std::optional<double> shareOfRead(const Row &, size_t backend) const;
  std::vector<std::string> remarks(const Row &, bool withStatus) const;

  std::vector<std::string> backends;
  std::vector<std::string> quantities;
  std::set<std::pair<Pass, size_t>> shown; ///< which backends in the table
  double readRate;
  bool withBackward = false;
  bool withCached = false; ///< code of the first backend came from the cache
  bool tera = false;       ///< the table's rates in T/s, not in G/s
};

} // namespace attn::bench

#endif // ATTN_BENCH_REPORT_COLUMNS_H
