// Formats rows.
#include "Report.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

using namespace attn;
using namespace attn::bench;

static std::string format(const char *pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), pattern, value);
  return text;
}

static const char *wordFor(Outcome::Kind kind) {
  switch (kind) {
  case Outcome::Timed:
    return "";
  case Outcome::Wrong:
    return "WRONG";
  case Outcome::Unavailable:
    return "unavailable";
  case Outcome::Unsupported:
    return "unsupported";
  case Outcome::OutOfMemory:
    return "out of memory";
  case Outcome::Failed:
    return "FAILED";
  case Outcome::Skipped:
    return "skipped";
  case Outcome::Interrupted:
    return "interrupted";
  }
  return "";
}

std::optional<double> attn::bench::speedup(const Row &row, size_t backend) {
  const Outcome &compiled = row.outcomes[0], &peer = row.outcomes[backend];
  if (compiled.kind != Outcome::Timed || peer.kind != Outcome::Timed ||
      compiled.seconds <= 0 || row.allPairs == 0)
    return std::nullopt;
  return peer.seconds / compiled.seconds;
}

Report::~Report() {
  if (file)
    std::fclose(file);
}

Result<void> Report::checkWritable(const std::string &path) {
  auto failure = [&] {
    return Error{"cannot write '" + path + "': " + std::strerror(errno)};
  };
  bool exists = access(path.c_str(), F_OK) == 0;
  int descriptor =
      ::open(path.c_str(),
             exists ? O_WRONLY | O_APPEND : O_WRONLY | O_CREAT | O_EXCL, 0666);
  if (descriptor < 0)
    return failure();
  ::close(descriptor);
  if (!exists)
    ::unlink(path.c_str());
  return {};
}

Result<void> Report::open(const std::string &path) {
  file = std::fopen(path.c_str(), "w");
  if (!file || std::fputs(csvLine(header()).c_str(), file) < 0 ||
      std::fflush(file))
    return Error{"cannot write '" + path + "': " + std::strerror(errno)};
  return {};
}

Result<void> Report::add(Row row) {
  Result<void> written;
  if (file &&
      (std::fputs(csvLine(cells(row)).c_str(), file) < 0 || std::fflush(file)))
    written = Error{std::string("cannot write the CSV file: ") +
                    std::strerror(errno)};
  rows.push_back(std::move(row));
  return written;
}

Cells Report::header() const {
  Cells cells = {"attn_type", "dtype", "shape(B,Hq,M,Hkv,N,D)", "unmasked (%)"};
  for (const std::string &backend : backends) {
    cells.push_back("fwd_" + backend + " (us)");
    cells.push_back(backend + " TFLOP/s");
    cells.push_back(backend + " max error");
  }
  for (size_t i = 1; i < backends.size(); ++i)
    cells.push_back("fwd_speedup_compiled_over_" + backends[i]);
  cells.push_back("compile (ms)");
  cells.push_back("remarks");
  return cells;
}

Cells Report::cells(const Row &row) const {
  Cells cells = {row.pattern, row.type, row.shape, ""};
  if (row.pairs && row.allPairs > 0)
    cells.back() = format("%.2f", 100 * *row.pairs / row.allPairs);
  std::string remarks = row.remark;
  for (size_t i = 0; i < backends.size(); ++i) {
    const Outcome &outcome = row.outcomes[i];
    bool timed = outcome.kind == Outcome::Timed;
    cells.push_back(timed ? format("%.1f", outcome.seconds * 1e6)
                          : wordFor(outcome.kind));
    bool hasRate = timed && row.pairs && outcome.seconds > 0;
    cells.push_back(hasRate ? format("%.4g", *row.pairs * row.flopsPerPair /
                                                 outcome.seconds * 1e-12)
                            : "");
    cells.push_back(outcome.maxError ? format("%.2e", *outcome.maxError) : "");
    if (!outcome.reason.empty())
      remarks +=
          (remarks.empty() ? "" : "; ") + backends[i] + ": " + outcome.reason;
  }
  for (size_t i = 1; i < backends.size(); ++i) {
    std::optional<double> ratio = speedup(row, i);
    cells.push_back(ratio ? format("%.2f", *ratio) : "");
  }
  double compile = row.outcomes[0].compileSeconds;
  cells.push_back(compile > 0 ? format("%.0f", compile * 1e3) : "");
  cells.push_back(remarks);
  return cells;
}

/// Average, largest and smallest speed-up over one backend; empty if no case
/// has one.
Cells Report::summaryOf(size_t backend) const {
  double sum = 0, largest = 0, smallest = 0;
  const Row *largestRow = nullptr, *smallestRow = nullptr;
  int count = 0;
  for (const Row &row : rows) {
    std::optional<double> ratio = speedup(row, backend);
    if (!ratio)
      continue;
    ++count;
    sum += *ratio;
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
  auto at = [](const Row *row) {
    return row->pattern + " " + row->type + " " + row->shape;
  };
  return {backends[backend],
          std::to_string(count),
          format("%.2f", sum / count),
          format("%.2f", largest),
          at(largestRow),
          format("%.2f", smallest),
          at(smallestRow)};
}

std::string Report::text() const {
  std::vector<Cells> lines, summaries;
  for (const Row &row : rows)
    lines.push_back(cells(row));
  for (size_t i = 1; i < backends.size(); ++i)
    if (Cells summary = summaryOf(i); !summary.empty())
      summaries.push_back(std::move(summary));
  std::string text = markdownTable(header(), lines);
  if (!summaries.empty())
    text += "\nSpeed-up of compiled over each backend:\n\n" +
            markdownTable({"backend", "cases", "average", "max", "max at",
                           "min", "min at"},
                          summaries);
  return text;
}

bool Report::hasFault() const {
  return std::any_of(rows.begin(), rows.end(), [](const Row &row) {
    return std::any_of(row.outcomes.begin(), row.outcomes.end(),
                       [](const Outcome &outcome) {
                         return outcome.kind == Outcome::Wrong ||
                                outcome.kind == Outcome::Failed;
                       });
  });
}
