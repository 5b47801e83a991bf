// Verdicts by confidence intervals.
#include "report/Compare.h"

#include "report/Table.h"
#include "support/Format.h"

#include <algorithm>
#include <map>

using namespace attn;
using namespace attn::bench;

/// Below this many samples an interval covers too little (Timing::interval).
static constexpr size_t fewestSamples = 6;

const char *attn::bench::toString(Verdict verdict) {
  switch (verdict) {
  case Verdict::Faster:
    return "FASTER";
  case Verdict::Slower:
    return "SLOWER";
  case Verdict::Same:
    return "SAME";
  case Verdict::Unsure:
    return "UNSURE";
  case Verdict::Fault:
    return "FAULT";
  case Verdict::Fixed:
    return "FIXED";
  }
  return "";
}

Change attn::bench::changeOf(const Timing &before, const Timing &after) {
  Interval old = before.interval(), now = after.interval();
  if (before.median() <= 0 || old.low <= 0)
    return {0, 0, 0};
  return {after.median() / before.median(), now.low / old.high,
          now.high / old.low};
}

Verdict attn::bench::judge(const Timing &before, const Timing &after,
                           double threshold) {
  Change change = changeOf(before, after);
  if (change.ratio <= 0 || before.samples.size() < fewestSamples ||
      after.samples.size() < fewestSamples)
    return Verdict::Unsure;
  if (change.high < 1 - threshold)
    return Verdict::Faster;
  if (change.low > 1 + threshold)
    return Verdict::Slower;
  if (change.low >= 1 - threshold && change.high <= 1 + threshold)
    return Verdict::Same;
  return Verdict::Unsure;
}

static std::string percent(double ratio) {
  return format("%+.1f%%", (ratio - 1) * 100);
}

static std::string nameOf(const Row &row) {
  return row.pattern + " " + row.type + " " + row.shape;
}

namespace {
/// Collects the lines of a comparison.
class Comparer {
public:
  explicit Comparer(double threshold) : threshold(threshold) {}

  void compare(const Row &before, const Row &after, size_t backendBefore,
               size_t backendAfter, const std::string &backend, Pass pass);
  std::string table() const;
  std::string counts() const;
  bool isWorse() const {
    return count(Verdict::Slower) || count(Verdict::Fault);
  }
  bool isEmpty() const { return lines.empty(); }
  /// Whether one side left the cache warm and the other did not.
  bool mixesHotAndCold() const { return mixed; }

private:
  int count(Verdict verdict) const {
    auto found = verdicts.find(verdict);
    return found == verdicts.end() ? 0 : found->second;
  }

  double threshold;
  std::vector<Cells> lines;
  std::map<Verdict, int> verdicts;
  bool mixed = false;
};
} // namespace

/// Whether this pass went wrong.
static bool isFaultIn(const Outcome &outcome, Pass pass) {
  std::string status = statusOf(outcome, pass);
  return status == "wrong" || status == "failed";
}

void Comparer::compare(const Row &before, const Row &after,
                       size_t backendBefore, size_t backendAfter,
                       const std::string &backend, Pass pass) {
  const Outcome &oldOutcome = before.outcomes[backendBefore];
  const Outcome &newOutcome = after.outcomes[backendAfter];
  const Timing *old = timingOf(before, backendBefore, pass);
  const Timing *now = timingOf(after, backendAfter, pass);
  Verdict verdict;
  Change change{0, 0, 0};
  if (old && now) {
    verdict = judge(*old, *now, threshold);
    change = changeOf(*old, *now);
    mixed |= old->hot != now->hot;
  } else if (old && isFaultIn(newOutcome, pass)) {
    verdict = Verdict::Fault;
  } else if (now && isFaultIn(oldOutcome, pass)) {
    verdict = Verdict::Fixed;
  } else {
    return;
  }
  ++verdicts[verdict];
  auto timeOr = [&](const Timing *timing, const Outcome &outcome) {
    return timing ? format("%.1f", timing->median() * 1e6)
                  : std::string(statusOf(outcome, pass));
  };
  auto rateOf = [&](const Row &row, size_t index) {
    bool forward = pass == Pass::Forward;
    return format("%.4g", forward ? bandwidth(row, index) : std::nullopt, 1e-9,
                  "");
  };
  bool known = change.ratio > 0;
  lines.push_back(
      {nameOf(before), backend, pass == Pass::Forward ? "forward" : "backward",
       timeOr(old, oldOutcome), timeOr(now, newOutcome),
       known ? percent(change.ratio) : "",
       known ? percent(change.low) + " to " + percent(change.high) : "",
       rateOf(before, backendBefore), rateOf(after, backendAfter),
       toString(verdict)});
}

std::string Comparer::table() const {
  return markdownTable({"case", "backend", "pass", "before (us)", "after (us)",
                        "change", "95% interval", "GB/s before", "GB/s after",
                        "verdict"},
                       lines);
}

std::string Comparer::counts() const {
  std::string text;
  for (const auto &[verdict, number] : verdicts)
    text += (text.empty() ? "" : ", ") + std::to_string(number) + " " +
            toString(verdict);
  return text;
}

/// What makes the runs unlike, so that a change may not be the code's.
static std::string differences(const RunInfo &before, const RunInfo &after) {
  std::string text;
  auto add = [&](const std::string &what, const std::string &old,
                 const std::string &now) {
    if (old != now)
      text += "note: " + what + ": '" + old + "' before, '" + now + "' after\n";
  };
  add("device", before.device, after.device);
  std::map<std::string, std::string> old(before.facts.begin(),
                                         before.facts.end());
  for (const auto &[name, value] : after.facts)
    if (auto found = old.find(name); found != old.end())
      add(name, found->second, value);
  return text;
}

Comparison attn::bench::compareResults(const Results &before,
                                       const Results &after, double threshold) {
  Comparer comparer(threshold);
  std::map<std::string, const Row *> old;
  for (const auto &[index, row] : before.rows)
    old[nameOf(row)] = &row;
  size_t unmatched = before.rows.size();
  for (const auto &[index, row] : after.rows) {
    auto found = old.find(nameOf(row));
    if (found == old.end()) {
      ++unmatched;
      continue;
    }
    --unmatched;
    const std::vector<std::string> &names = after.run.backends;
    const std::vector<std::string> &oldNames = before.run.backends;
    for (size_t i = 0; i < names.size(); ++i) {
      auto place = std::find(oldNames.begin(), oldNames.end(), names[i]);
      if (place == oldNames.end())
        continue;
      for (Pass pass : {Pass::Forward, Pass::Backward})
        comparer.compare(*found->second, row, place - oldNames.begin(), i,
                         names[i], pass);
    }
  }
  Comparison comparison;
  if (!comparer.isEmpty())
    comparison.text = comparer.table() + "\n" + comparer.counts() +
                      " (threshold " + format("%.3g%%", threshold * 100) +
                      ")\n";
  comparison.text += differences(before.run, after.run);
  if (comparer.mixesHotAndCold())
    comparison.text += "note: one of the runs is --hot, the other is not\n";
  if (unmatched)
    comparison.text += "note: " + std::to_string(unmatched) +
                       " cases are in one of the runs only\n";
  if (comparer.isEmpty())
    comparison.text += "note: the runs have no measurement in common\n";
  comparison.worse = comparer.isWorse();
  return comparison;
}
