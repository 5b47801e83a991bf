// Text tables: GitHub's style for people, CSV for programs.
#ifndef ATTN_BENCH_REPORT_TABLE_H
#define ATTN_BENCH_REPORT_TABLE_H

#include <string>
#include <vector>

namespace attn::bench {

using Cells = std::vector<std::string>;

/// A table in GitHub's Markdown, its columns padded. Every row has as many
/// cells as the header.
std::string markdownTable(const Cells &header, const std::vector<Cells> &rows);

/// One line of CSV (RFC 4180), with a final newline.
std::string csvLine(const Cells &cells);

} // namespace attn::bench

#endif // ATTN_BENCH_REPORT_TABLE_H
