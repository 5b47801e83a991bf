// See TuningText.h.
#include "backends/TuningText.h"

#include <cstdio>

using namespace attn;

std::string attn::bench::textOf(const Tuning &tuning) {
  if (tuning.chosen.schedule.empty())
    return "";
  size_t fits = 0;
  for (const TriedSchedule &one : tuning.tried)
    fits += one.seconds > 0;
  std::string tried = " (" + std::to_string(tuning.tried.size()) + " of " +
                      std::to_string(tuning.candidates) + " others tried, " +
                      std::to_string(tuning.tried.size() - fits) +
                      " do not run";
  tried += tuning.isFromCache ? ", by an earlier run)" : ")";
  if (tuning.schedule.empty())
    return std::string("tuned: ") +
           (int64_t(tuning.tried.size()) < tuning.candidates
                ? "none of those tried"
                : "nothing") +
           " is faster than " + tuning.chosen.schedule + tried;
  char gain[32];
  std::snprintf(gain, sizeof(gain), "%.3f", tuning.gain);
  return "tuned: " + tuning.schedule + " is " + gain + " times as fast as " +
         tuning.chosen.schedule + tried;
}
