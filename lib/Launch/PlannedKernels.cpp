// See PlannedKernels.h.
#include "PlannedKernels.h"

#include <algorithm>

using namespace attn;

LaunchSizes attn::launchSizesOf(const ProblemSizes &sizes,
                                int64_t multiprocessors) {
  return {sizes.batch, sizes.heads,     sizes.queries,
          sizes.keys,  multiprocessors, std::max<int64_t>(sizes.kvHeads, 1)};
}

LaunchRange attn::launchRangeOf(const SizeRange *range,
                                const LaunchMemory &memory,
                                int64_t multiprocessors) {
  if (!range)
    return LaunchRange::ofAnySizes(multiprocessors, memory);
  return {launchSizesOf(range->smallest, multiprocessors),
          launchSizesOf(range->largest, multiprocessors), memory};
}

size_t attn::kernelForAnySizes(const LaunchPlan &plan,
                               const LaunchMemory &memory) {
  return kernelsFor(plan, LaunchRange::ofAnySizes(1, memory)).back();
}

namespace {
struct Counted {
  const char *name;
  int64_t ProblemSizes::*size;
};
} // namespace

/// What kernels are chosen by.
static constexpr Counted counted[] = {
    {"batch size", &ProblemSizes::batch},
    {"number of heads", &ProblemSizes::heads},
    {"number of key heads", &ProblemSizes::kvHeads},
    {"number of queries", &ProblemSizes::queries},
    {"number of keys", &ProblemSizes::keys}};

Result<void> attn::checkRange(const SizeRange &range) {
  for (auto [name, size] : counted) {
    int64_t smallest = range.smallest.*size, largest = range.largest.*size;
    if (smallest < 0)
      return Error{std::string("expects a ") + name +
                   " of at least 0 to prepare for, got " +
                   std::to_string(smallest)};
    if (largest < smallest)
      return Error{std::string("expects a largest ") + name +
                   " to prepare for of at least the smallest, " +
                   std::to_string(smallest) + ", got " +
                   std::to_string(largest)};
  }
  return {};
}

Error attn::unpreparedError(const char *prepare, const ProblemSizes &sizes) {
  std::string text = "expects ", separator = "() for ";
  text += prepare;
  for (auto [name, size] : counted) {
    text += separator + name + " " + std::to_string(sizes.*size);
    separator = ", ";
  }
  return Error{text + " and this memory before a stream capture: what they "
                      "take is not compiled yet"};
}
