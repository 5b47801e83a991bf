// Rates and ratios of a row.
#include "results/Row.h"

#include <algorithm>

using namespace attn;
using namespace attn::bench;

/// Products of the backward pass (S, dV, dP, dQ, dK) against two forward.
static constexpr double backwardWork = 2.5;

static const char *statusOf(Outcome::Kind kind) {
  switch (kind) {
  case Outcome::Timed:
    return "timed";
  case Outcome::Wrong:
    return "wrong";
  case Outcome::Unavailable:
    return "unavailable";
  case Outcome::Unsupported:
    return "unsupported";
  case Outcome::OutOfMemory:
    return "out of memory";
  case Outcome::Failed:
    return "failed";
  case Outcome::Skipped:
    return "skipped";
  case Outcome::Interrupted:
    return "interrupted";
  }
  return "";
}

const char *attn::bench::statusOf(const Outcome &outcome, Pass pass) {
  if (pass == Pass::Forward)
    return ::statusOf(outcome.kind);
  switch (outcome.backward ? outcome.backward->check : Backward::NotRun) {
  case Backward::NotRun:
    return "not run";
  case Backward::Passed:
    return "timed";
  case Backward::Wrong:
    return "wrong";
  case Backward::Failed:
    return "failed";
  case Backward::Unchecked:
    return "unchecked";
  }
  return "";
}

const Timing *attn::bench::timingOf(const Row &row, size_t backend, Pass pass) {
  const Outcome &outcome = row.outcomes[backend];
  const Timing *timing = nullptr;
  if (pass == Pass::Forward && outcome.kind == Outcome::Timed)
    timing = &outcome.timing;
  if (pass == Pass::Backward && outcome.backward &&
      (outcome.backward->check == Backward::Passed ||
       outcome.backward->check == Backward::Unchecked))
    timing = &outcome.backward->timing;
  return timing && !timing->samples.empty() ? timing : nullptr;
}

bool attn::bench::hasBackward(const Row &row) {
  return std::any_of(
      row.outcomes.begin(), row.outcomes.end(),
      [](const Outcome &outcome) { return outcome.backward.has_value(); });
}

bool attn::bench::isFault(const Outcome &outcome) {
  return outcome.kind == Outcome::Wrong || outcome.kind == Outcome::Failed ||
         (outcome.backward && (outcome.backward->check == Backward::Wrong ||
                               outcome.backward->check == Backward::Failed));
}

bool attn::bench::isFault(const Row &row) {
  return std::any_of(row.outcomes.begin(), row.outcomes.end(),
                     [](const Outcome &outcome) { return isFault(outcome); });
}

bool attn::bench::isRefusal(const Outcome &outcome, Pass pass) {
  if (pass == Pass::Backward)
    return !outcome.backward || outcome.backward->check == Backward::NotRun;
  return outcome.kind == Outcome::Unavailable ||
         outcome.kind == Outcome::Unsupported ||
         outcome.kind == Outcome::OutOfMemory ||
         outcome.kind == Outcome::Skipped;
}

/// The backend's time, if it has one that a rate can be made of.
static std::optional<double> timeOf(const Row &row, size_t backend, Pass pass) {
  const Timing *timing = timingOf(row, backend, pass);
  double seconds = timing ? timing->median() : 0;
  return seconds > 0 ? std::optional<double>(seconds) : std::nullopt;
}

std::optional<double> attn::bench::speedup(const Row &row, size_t backend,
                                           Pass pass) {
  std::optional<double> first = timeOf(row, 0, pass);
  std::optional<double> peer = timeOf(row, backend, pass);
  if (!first || !peer || row.allPairs == 0)
    return std::nullopt;
  return *peer / *first;
}

std::optional<double> attn::bench::flopRate(const Row &row, size_t backend,
                                            Pass pass) {
  std::optional<double> seconds = timeOf(row, backend, pass);
  if (!seconds || !row.pairs)
    return std::nullopt;
  double work = pass == Pass::Forward ? 1 : backwardWork;
  return *row.pairs * row.flopsPerPair * work / *seconds;
}

std::optional<double> attn::bench::bandwidth(const Row &row, size_t backend) {
  std::optional<double> seconds = timeOf(row, backend, Pass::Forward);
  if (!seconds || !row.bytes)
    return std::nullopt;
  return *row.bytes / *seconds;
}
