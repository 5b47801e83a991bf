// See Preflight.h.
#include "run/Preflight.h"

#include <map>
#include <tuple>

using namespace attn;
using namespace attn::bench;

namespace {
/// What one schedule does not suit.
struct Verdict {
  size_t cases = 0, unsuited = 0;
  std::string reason, example; ///< of the first
};
} // namespace

/// Asks the compiler once for all cases that share a kernel.
static Verdict judge(const std::string &schedule, bool exact,
                     const std::vector<Case> &cases, Target target) {
  using Key = std::tuple<const Mod::Impl *, ElementType, int64_t, int64_t>;
  std::map<Key, std::string> reasons;
  Verdict verdict;
  for (const Case &item : cases) {
    if (!item.refusal.empty())
      continue;
    ++verdict.cases;
    KernelSpec spec;
    spec.target = target;
    spec.type = item.type;
    spec.headDim = item.sizes.headDim;
    spec.valueDim = item.sizes.valueDim;
    spec.schedule = schedule;
    spec.exact = exact;
    Key key{&item.mod->mod.impl(), spec.type, spec.headDim, spec.valueDim};
    auto known = reasons.find(key);
    if (known == reasons.end()) {
      Result<void> fine = AttentionKernel::check(item.mod->mod, spec);
      known = reasons.emplace(key, fine ? "" : fine.error()).first;
    }
    if (known->second.empty())
      continue;
    if (!verdict.unsuited++) {
      verdict.reason = known->second;
      verdict.example = labelOf(item);
    }
  }
  return verdict;
}

Result<void> attn::bench::checkSchedules(const Config &config,
                                         const std::vector<Case> &cases,
                                         Target target,
                                         std::vector<std::string> &notes) {
  for (const std::string &schedule : config.schedules) {
    if (schedule == autoSchedule)
      continue;
    Verdict verdict = judge(schedule, config.exact, cases, target);
    if (!verdict.unsuited)
      continue;
    if (verdict.unsuited == verdict.cases)
      return errorAt("attn-bench", "schedule '" + schedule +
                                       "' suits none of the cases; " +
                                       verdict.example + ": " + verdict.reason);
    notes.push_back("attn-bench: note: schedule '" + schedule +
                    "' does not suit " + std::to_string(verdict.unsuited) +
                    " of " + std::to_string(verdict.cases) +
                    " cases, which are rows that say so; " + verdict.example +
                    ": " + verdict.reason);
  }
  return {};
}

void attn::bench::markTooLarge(std::vector<Case> &cases, const Device &device) {
  double free = static_cast<double>(device.freeBytes());
  for (Case &item : cases) {
    double needed = bytesNeeded(item, device.target());
    if (item.refusal.empty() && needed > free)
      item.refusal = "skipped: needs " + formatBytes(needed) + ", " +
                     formatBytes(free) + " free";
  }
}
