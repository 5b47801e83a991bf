// Headings and cells.
#include "report/Columns.h"

#include "support/Format.h"

#include <algorithm>
#include <cctype>

using namespace attn;
using namespace attn::bench;

static std::string prefixOf(Pass pass) {
  return pass == Pass::Forward ? "fwd_" : "bwd_";
}

/// What the table has in place of a time; a fault stands out.
static std::string wordInTable(const Outcome &outcome, Pass pass) {
  if (pass == Pass::Backward && !outcome.backward)
    return "";
  std::string word = statusOf(outcome, pass);
  if (word == "wrong" || word == "failed")
    std::transform(word.begin(), word.end(), word.begin(),
                   [](unsigned char c) { return std::toupper(c); });
  return word;
}

static std::optional<double> shareOfPairs(const Row &row) {
  if (!row.pairs || row.allPairs <= 0)
    return std::nullopt;
  return *row.pairs / row.allPairs;
}

static double compileSeconds(const Outcome &outcome, Pass pass) {
  if (pass == Pass::Forward)
    return outcome.compileSeconds;
  return outcome.backward ? outcome.backward->compileSeconds : 0;
}

static double cachedSeconds(const Outcome &outcome, Pass pass) {
  if (pass == Pass::Forward)
    return outcome.cachedSeconds;
  return outcome.backward ? outcome.backward->cachedSeconds : 0;
}

static std::optional<double> quantityOf(const Row &row,
                                        const std::string &name) {
  for (const Quantity &quantity : row.quantities)
    if (quantity.name == name)
      return quantity.value;
  return std::nullopt;
}

Columns::Columns(const std::vector<std::string> &backends,
                 const std::vector<Row> &rows, double readRate)
    : backends(backends), readRate(readRate) {
  for (const Row &row : rows) {
    withBackward |= hasBackward(row);
    for (const Quantity &quantity : row.quantities)
      if (std::find(quantities.begin(), quantities.end(), quantity.name) ==
          quantities.end())
        quantities.push_back(quantity.name);
    for (Pass pass : {Pass::Forward, Pass::Backward})
      withCached |= cachedSeconds(row.outcomes[0], pass) > 0;
    tera |= flopRate(row, 0, Pass::Forward).value_or(0) >= 1e12;
  }
  for (Pass pass : {Pass::Forward, Pass::Backward})
    for (size_t i = 0; i < backends.size(); ++i)
      if ((i == 0 && pass == Pass::Forward) ||
          std::any_of(rows.begin(), rows.end(), [&](const Row &row) {
            return !isRefusal(row.outcomes[i], pass);
          }))
        shown.insert({pass, i});
}

bool Columns::lacks(const Row &row) const {
  bool lacksQuantity = std::any_of(
      row.quantities.begin(), row.quantities.end(), [&](const Quantity &q) {
        return std::find(quantities.begin(), quantities.end(), q.name) ==
               quantities.end();
      });
  return lacksQuantity || (hasBackward(row) && !withBackward);
}

bool Columns::isShown(size_t backend, Pass pass) const {
  return shown.count({pass, backend});
}

std::optional<double> Columns::shareOfRead(const Row &row,
                                           size_t backend) const {
  std::optional<double> rate = bandwidth(row, backend);
  return rate && readRate > 0 ? std::optional<double>(*rate / readRate)
                              : std::nullopt;
}

std::vector<Pass> Columns::passes() const {
  std::vector<Pass> passes = {Pass::Forward};
  if (withBackward)
    passes.push_back(Pass::Backward);
  return passes;
}

std::vector<std::string> Columns::remarks(const Row &row,
                                          bool withStatus) const {
  std::vector<std::string> remarks;
  auto add = [&](const std::string &who, const std::string &what) {
    if (!what.empty())
      remarks.push_back(who.empty() ? what : who + ": " + what);
  };
  auto status = [&](size_t i, Pass pass) {
    const Outcome &outcome = row.outcomes[i];
    bool needed = withStatus && !isShown(i, pass);
    return needed ? std::string(" ") + statusOf(outcome, pass) : "";
  };
  add("", row.remark);
  for (size_t i = 0; i < backends.size(); ++i) {
    const Outcome &outcome = row.outcomes[i];
    add(backends[i] + status(i, Pass::Forward), outcome.reason);
    if (outcome.backward && outcome.backward->reason != outcome.reason)
      add(backends[i] + " backward" + status(i, Pass::Backward),
          outcome.backward->reason);
  }
  add("clocks held down", row.conditions.throttled);
  return remarks;
}

std::vector<std::string> Columns::notes(const Row &row) const {
  return remarks(row, /*withStatus=*/true);
}

static std::string joined(const std::vector<std::string> &texts) {
  std::string all;
  for (const std::string &text : texts)
    all += (all.empty() ? "" : "; ") + text;
  return all;
}

Cells Columns::tableHeader() const {
  Cells cells = {"attn_type", "dtype", "shape(B,Hq,M,Hkv,N,D)", "unmasked (%)"};
  for (Pass pass : passes()) {
    for (size_t i = 0; i < backends.size(); ++i)
      if (isShown(i, pass))
        cells.push_back(prefixOf(pass) + backends[i] + " (us)");
    for (size_t i = 1; i < backends.size(); ++i)
      if (isShown(i, pass))
        cells.push_back("over " + backends[i]);
  }
  cells.push_back(tera ? "TB/s" : "GB/s");
  cells.push_back("of read (%)");
  cells.push_back(tera ? "TFLOP/s" : "GFLOP/s");
  cells.insert(cells.end(), quantities.begin(), quantities.end());
  for (Pass pass : passes())
    cells.push_back(pass == Pass::Forward ? "compile (ms)"
                                          : "bwd_compile (ms)");
  for (Pass pass : passes())
    if (withCached)
      cells.push_back(pass == Pass::Forward ? "cached (ms)"
                                            : "bwd_cached (ms)");
  return cells;
}

Cells Columns::tableCells(const Row &row) const {
  Cells cells = {row.pattern, row.type, row.shape,
                 format("%.2f", shareOfPairs(row), 100, "")};
  for (Pass pass : passes()) {
    for (size_t i = 0; i < backends.size(); ++i) {
      const Timing *timing = timingOf(row, i, pass);
      if (isShown(i, pass))
        cells.push_back(timing ? format("%.1f", timing->median() * 1e6)
                               : wordInTable(row.outcomes[i], pass));
    }
    for (size_t i = 1; i < backends.size(); ++i)
      if (isShown(i, pass))
        cells.push_back(format("%.2fx", speedup(row, i, pass), 1, ""));
  }
  double scale = tera ? 1e-12 : 1e-9;
  cells.push_back(format("%.3g", bandwidth(row, 0), scale, ""));
  cells.push_back(format("%.1f", shareOfRead(row, 0), 100, ""));
  cells.push_back(format("%.4g", flopRate(row, 0, Pass::Forward), scale, ""));
  for (const std::string &name : quantities)
    cells.push_back(format("%.6g", quantityOf(row, name), 1, ""));
  for (Pass pass : passes()) {
    double compile = compileSeconds(row.outcomes[0], pass);
    cells.push_back(compile > 0 ? format("%.0f", compile * 1e3) : "");
  }
  for (Pass pass : passes()) {
    double cached = cachedSeconds(row.outcomes[0], pass);
    if (withCached)
      cells.push_back(cached > 0 ? format("%.1f", cached * 1e3) : "");
  }
  return cells;
}

/// The backends in upstream's order: the compiled one last.
static std::vector<size_t> upstreamOrder(size_t count) {
  std::vector<size_t> order;
  for (size_t i = 1; i < count; ++i)
    order.push_back(i);
  order.push_back(0);
  return order;
}

Cells Columns::csvHeader() const {
  Cells cells = {"attn_type", "dtype", "shape(B,Hq,M,Hkv,N,D)"};
  for (size_t i : upstreamOrder(backends.size()))
    for (Pass pass : passes())
      cells.push_back(prefixOf(pass) + backends[i]);
  for (Pass pass : passes())
    for (size_t i = 1; i < backends.size(); ++i)
      cells.push_back(prefixOf(pass) + backends[i] + "_speedup");
  cells.push_back("fwd_mem_bw (TB/s)");
  cells.push_back("TFlops/s");
  // From here on the columns are our own.
  cells.push_back("unmasked (%)");
  for (Pass pass : passes())
    for (const std::string &backend : backends)
      for (const char *what :
           {"_status", "_TFLOP/s", "_max_error", "_low (us)", "_high (us)",
            "_with_launch (us)", "_host (us)", "_samples", "_stopped_by"})
        cells.push_back(prefixOf(pass) + backend + what);
  for (const std::string &backend : backends)
    for (const char *what : {"_GB/s", "_of_read (%)"})
      cells.push_back(prefixOf(Pass::Forward) + backend + what);
  for (const char *what : {"_compile (ms)", "_cached (ms)"})
    for (Pass pass : passes())
      for (const std::string &backend : backends)
        cells.push_back((pass == Pass::Forward ? "" : prefixOf(pass)) +
                        backend + what);
  cells.insert(cells.end(), quantities.begin(), quantities.end());
  cells.push_back("repeat");
  cells.push_back("remarks");
  return cells;
}

/// What is known of one backend beyond its time; see csvHeader().
static void addDetails(Cells &cells, const Row &row, size_t backend,
                       Pass pass) {
  const Outcome &outcome = row.outcomes[backend];
  bool forward = pass == Pass::Forward;
  const Timing *timing = timingOf(row, backend, pass);
  std::optional<double> error = outcome.maxError;
  if (!forward)
    error = outcome.backward ? outcome.backward->maxError : std::nullopt;
  cells.push_back(statusOf(outcome, pass));
  cells.push_back(format("%.4g", flopRate(row, backend, pass), 1e-12, "nan"));
  cells.push_back(format("%.3e", error, 1, "nan"));
  if (!timing) {
    cells.insert(cells.end(), {"nan", "nan", "nan", "nan", "0", ""});
    return;
  }
  Interval interval = timing->interval();
  cells.push_back(format("%.3f", interval.low * 1e6));
  cells.push_back(format("%.3f", interval.high * 1e6));
  cells.push_back(timing->withLaunch.empty()
                      ? "nan"
                      : format("%.3f", timing->medianWithLaunch() * 1e6));
  cells.push_back(timing->host.empty()
                      ? "nan"
                      : format("%.3f", timing->medianHost() * 1e6));
  cells.push_back(std::to_string(timing->samples.size()));
  cells.push_back(toString(timing->stop));
}

Cells Columns::csvCells(const Row &row) const {
  Cells cells = {row.pattern, row.type, row.shape};
  for (size_t i : upstreamOrder(backends.size()))
    for (Pass pass : passes()) {
      const Timing *timing = timingOf(row, i, pass);
      cells.push_back(timing ? format("%.3f", timing->median() * 1e6) : "nan");
    }
  for (Pass pass : passes())
    for (size_t i = 1; i < backends.size(); ++i)
      cells.push_back(format("%.3f", speedup(row, i, pass), 1, "nan"));
  cells.push_back(format("%.4g", bandwidth(row, 0), 1e-12, "nan"));
  cells.push_back(
      format("%.4g", flopRate(row, 0, Pass::Forward), 1e-12, "nan"));
  cells.push_back(format("%.2f", shareOfPairs(row), 100, "nan"));
  for (Pass pass : passes())
    for (size_t i = 0; i < backends.size(); ++i)
      addDetails(cells, row, i, pass);
  for (size_t i = 0; i < backends.size(); ++i) {
    cells.push_back(format("%.4g", bandwidth(row, i), 1e-9, "nan"));
    cells.push_back(format("%.2f", shareOfRead(row, i), 100, "nan"));
  }
  for (auto *seconds : {compileSeconds, cachedSeconds})
    for (Pass pass : passes())
      for (const Outcome &outcome : row.outcomes)
        cells.push_back(format("%.1f", seconds(outcome, pass) * 1e3));
  for (const std::string &name : quantities)
    cells.push_back(format("%.9g", quantityOf(row, name), 1, "nan"));
  cells.push_back(row.repeat);
  cells.push_back(joined(remarks(row, /*withStatus=*/false)));
  return cells;
}
