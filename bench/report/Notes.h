// The remarks of a table's rows, collected below it: a table with whole
// sentences in it would be too wide to read, and most say the same as others.
#ifndef ATTN_BENCH_REPORT_NOTES_H
#define ATTN_BENCH_REPORT_NOTES_H

#include <string>
#include <vector>

namespace attn::bench {

class Notes {
public:
  /// The remarks of each row.
  explicit Notes(const std::vector<std::vector<std::string>> &remarks);

  /// The numbers of a row's own notes: "1, 3". What holds for all rows has
  /// none.
  std::string cell(size_t row) const { return cells[row]; }
  /// The list: first what holds for all rows, then by number. Empty without
  /// any.
  std::string text() const;

private:
  std::vector<std::string> common, numbered, cells;
};

} // namespace attn::bench

#endif // ATTN_BENCH_REPORT_NOTES_H
