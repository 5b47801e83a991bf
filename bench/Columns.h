// Which columns a report has, and what a row puts into them. People and
// programs want different ones: the table is narrow and has words where there
// is no number; the CSV file starts with upstream's columns and has `nan`
// there.
#ifndef ATTN_BENCH_COLUMNS_H
#define ATTN_BENCH_COLUMNS_H

#include "Row.h"
#include "Table.h"

namespace attn::bench {

class Columns {
public:
  /// `rows` decide whether there are columns of the backward pass, which
  /// quantities have one, and the table's unit of rates.
  Columns(const std::vector<std::string> &backends,
          const std::vector<Row> &rows);

  Cells tableHeader() const;
  Cells tableCells(const Row &) const;
  Cells csvHeader() const;
  Cells csvCells(const Row &) const;

  /// Whether the row has something that no column shows.
  bool lacks(const Row &) const;

private:
  std::vector<Pass> passes() const;

  std::vector<std::string> backends;
  std::vector<std::string> quantities;
  bool withBackward = false;
  bool tera = false; ///< the table's rates in T/s, not in G/s
};

/// The remarks of a row: its own, and each backend's.
std::string remarksOf(const Row &, const std::vector<std::string> &backends);

} // namespace attn::bench

#endif // ATTN_BENCH_COLUMNS_H
