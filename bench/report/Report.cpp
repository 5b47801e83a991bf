// The table, its summary, and the CSV file.
#include "report/Report.h"

#include "report/Notes.h"
#include "support/Format.h"

#include <algorithm>
#include <cmath>

using namespace attn;
using namespace attn::bench;

static std::string nameOf(const Row &row) {
  return row.pattern + " " + row.type + " " + row.shape;
}

/// Average, largest and smallest speed-up over one backend; empty if no case
/// has one.
static Cells summaryOf(const std::vector<Row> &rows, const std::string &name,
                       size_t backend, Pass pass) {
  double sum = 0, logarithms = 0, largest = 0, smallest = 0;
  const Row *largestRow = nullptr, *smallestRow = nullptr;
  int count = 0;
  for (const Row &row : rows) {
    std::optional<double> ratio = speedup(row, backend, pass);
    if (!ratio)
      continue;
    ++count;
    sum += *ratio;
    logarithms += std::log(*ratio);
    if (!largestRow || *ratio > largest) {
      largest = *ratio;
      largestRow = &row;
    }
    if (!smallestRow || *ratio < smallest) {
      smallest = *ratio;
      smallestRow = &row;
    }
  }
  if (!count)
    return {};
  return {name,
          pass == Pass::Forward ? "forward" : "backward",
          std::to_string(count),
          format("%.2fx", sum / count),
          format("%.2fx", std::exp(logarithms / count)),
          format("%.2fx", largest),
          nameOf(*largestRow),
          format("%.2fx", smallest),
          nameOf(*smallestRow)};
}

static std::string summaryText(const std::vector<std::string> &backends,
                               const std::vector<Row> &rows) {
  std::vector<Cells> lines;
  for (size_t i = 1; i < backends.size(); ++i)
    for (Pass pass : {Pass::Forward, Pass::Backward})
      if (Cells line = summaryOf(rows, backends[i], i, pass); !line.empty())
        lines.push_back(std::move(line));
  if (lines.empty())
    return "";
  return "\nSpeed-up of " + backends[0] + " over each backend:\n\n" +
         markdownTable({"backend", "pass", "cases", "average", "geomean", "max",
                        "max at", "min", "min at"},
                       lines);
}

/// The measured bounds of what a kernel that only reads can reach.
static std::string ceilingText(const Ceilings &ceilings) {
  std::string text;
  if (ceilings.read > 0)
    text += "a stream reads " + format("%.4g GB/s", ceilings.read * 1e-9);
  if (ceilings.emptyLaunch > 0)
    text += (text.empty() ? "" : "; ") + std::string("an empty launch takes ") +
            format("%.1f us", ceilings.emptyLaunch * 1e6);
  return text.empty() ? "" : "\nMeasured on this device: " + text + "\n";
}

/// How to look into each case that went wrong.
static std::string faultText(const std::vector<Row> &rows) {
  std::string text;
  for (const Row &row : rows)
    if (isFault(row) && !row.repeat.empty())
      text += "  " + row.repeat + "\n";
  return text.empty() ? "" : "\nCases with a fault, each by itself:\n" + text;
}

/// Drops the columns that no line has anything in.
static void dropEmptyColumns(Cells &header, std::vector<Cells> &lines) {
  for (size_t i = header.size(); i-- > 0;) {
    if (lines.empty() ||
        std::any_of(lines.begin(), lines.end(),
                    [&](const Cells &line) { return !line[i].empty(); }))
      continue;
    header.erase(header.begin() + i);
    for (Cells &line : lines)
      line.erase(line.begin() + i);
  }
}

std::string attn::bench::reportText(const std::vector<std::string> &backends,
                                    const std::vector<Row> &rows,
                                    const Ceilings &ceilings) {
  Columns columns(backends, rows, ceilings.read);
  std::vector<std::vector<std::string>> remarks;
  for (const Row &row : rows)
    remarks.push_back(columns.notes(row));
  Notes notes(remarks);
  Cells header = columns.tableHeader();
  header.push_back("notes");
  std::vector<Cells> lines;
  for (size_t i = 0; i < rows.size(); ++i) {
    lines.push_back(columns.tableCells(rows[i]));
    lines.back().push_back(notes.cell(i));
  }
  dropEmptyColumns(header, lines);
  return markdownTable(header, lines) + notes.text() +
         summaryText(backends, rows) + ceilingText(ceilings) + faultText(rows);
}

std::string attn::bench::kernelText(const std::vector<KernelCount> &kernels) {
  if (kernels.empty())
    return "";
  std::vector<Cells> lines;
  int compiles = 0, cached = 0;
  double seconds = 0;
  for (const KernelCount &kernel : kernels) {
    compiles += kernel.compiles;
    cached += kernel.cached;
    seconds += kernel.seconds;
    lines.push_back({kernel.backend, kernel.of, std::to_string(kernel.compiles),
                     format("%.2f", kernel.seconds),
                     std::to_string(kernel.cached)});
  }
  return "\nKernels, each for all sizes of the run: " +
         std::to_string(kernels.size()) + ", compiled " +
         std::to_string(compiles) + " times in " + format("%.2f s", seconds) +
         (cached ? ", " + std::to_string(cached) + " times from the cache"
                 : "") +
         ":\n\n" +
         markdownTable({"backend", "kernel", "compiles", "seconds", "cached"},
                       lines);
}

std::string attn::bench::reportCSV(const std::vector<std::string> &backends,
                                   const std::vector<Row> &rows,
                                   const Ceilings &ceilings) {
  Columns columns(backends, rows, ceilings.read);
  std::string text = csvLine(columns.csvHeader());
  for (const Row &row : rows)
    text += csvLine(columns.csvCells(row));
  return text;
}
