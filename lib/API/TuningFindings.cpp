// See TuningFindings.h.
#include "TuningFindings.h"

#include "CodeCache.h"

#include "attn/Cache/BuildId.h"

#include <cstdio>
#include <cstdlib>

using namespace attn;

static std::string textOf(const Verdict &verdict) {
  if (!verdict.time)
    return "failure " + verdict.failure;
  char text[128];
  std::snprintf(text, sizeof(text), "time %.9g %.9g %.9g", verdict.time->low,
                verdict.time->median, verdict.time->high);
  return text;
}

static std::optional<Verdict> verdictFrom(const std::string &text) {
  static constexpr char failure[] = "failure ";
  if (text.rfind(failure, 0) == 0)
    return Verdict{std::nullopt, text.substr(sizeof(failure) - 1)};
  Quartiles time;
  if (std::sscanf(text.c_str(), "time %lf %lf %lf", &time.low, &time.median,
                  &time.high) != 3)
    return std::nullopt;
  return Verdict{time, ""};
}

TuningFindings::TuningFindings(const std::string &problem)
    : store(cache::buildId().empty() ? nullptr : codeStore()),
      problem("build " + cache::buildId() + "\n" + problem) {}

std::optional<std::string> TuningFindings::find(const std::string &what) const {
  return store ? store->get(cache::Kind::Time, keyOf(what)) : std::nullopt;
}

void TuningFindings::put(const std::string &what,
                         const std::string &text) const {
  if (store)
    store->put(cache::Kind::Time, keyOf(what), text);
}

std::optional<Verdict> TuningFindings::of(const std::string &schedule) const {
  std::optional<std::string> text = find("schedule " + schedule);
  return text ? verdictFrom(*text) : std::nullopt;
}

void TuningFindings::keep(const std::string &schedule,
                          const Verdict &verdict) const {
  put("schedule " + schedule, textOf(verdict));
}

static std::string searchOf(const std::vector<std::string> &schedules) {
  std::string all = "search";
  for (const std::string &schedule : schedules)
    all += "\n" + schedule;
  return all;
}

std::optional<Searched>
TuningFindings::searched(const std::vector<std::string> &schedules) const {
  std::optional<std::string> text = find(searchOf(schedules));
  if (!text)
    return std::nullopt;
  Searched search;
  char *end = nullptr;
  search.seconds = std::strtod(text->c_str(), &end);
  search.known = std::strtoll(end, &end, 10);
  search.best = *end == ' ' ? end + 1 : end;
  return search;
}

void TuningFindings::keepSearched(const std::vector<std::string> &schedules,
                                  const Searched &search) const {
  put(searchOf(schedules), std::to_string(search.seconds) + " " +
                               std::to_string(search.known) + " " +
                               search.best);
}
