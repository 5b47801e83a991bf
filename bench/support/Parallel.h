// Splits a loop over the processor's cores: for the host-side work around the
// measurements (conversions, comparisons, references).
#ifndef ATTN_BENCH_SUPPORT_PARALLEL_H
#define ATTN_BENCH_SUPPORT_PARALLEL_H

#include <algorithm>
#include <cstdint>
#include <sched.h>
#include <thread>
#include <vector>

namespace attn::bench {

/// The cores that this process may use.
inline int coreCount() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0)
    return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

/// Calls body(begin, end) on disjoint ranges that cover [0, count), each of at
/// least `grain` elements, on all cores.
template <typename Body>
void parallelFor(int64_t count, int64_t grain, const Body &body) {
  int64_t parts =
      std::min<int64_t>(coreCount(), count / std::max<int64_t>(1, grain));
  if (parts <= 1) {
    if (count > 0)
      body(int64_t(0), count);
    return;
  }
  std::vector<std::thread> threads;
  for (int64_t part = 1; part < parts; ++part)
    threads.emplace_back(
        [&, part] { body(count * part / parts, count * (part + 1) / parts); });
  body(int64_t(0), count / parts);
  for (std::thread &thread : threads)
    thread.join();
}

} // namespace attn::bench

#endif // ATTN_BENCH_SUPPORT_PARALLEL_H
