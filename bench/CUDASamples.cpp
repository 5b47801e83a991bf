// The sampling loop on a GPU. Samples are enqueued in batches without waiting
// in between: were the queue to run empty, the time that the host takes to
// enqueue the several kernels of one run would be measured instead of theirs.
#include "CUDASamples.h"
#include "Timing.h"

#include <algorithm>
#include <chrono>

using namespace attn;
using namespace attn::bench;

namespace {

using Clock = std::chrono::steady_clock;

/// A reusable pair of events around each of up to `kMost` samples.
class EventPairs {
public:
  static constexpr int kMost = 32;

  explicit EventPairs(const cuda::Driver &cu) : cu(cu) {}
  ~EventPairs() {
    for (cuda::Event event : events)
      cu.eventDestroy(event);
  }

  Result<void> create() {
    while (events.size() < 2 * kMost) {
      cuda::Event event = nullptr;
      if (Result<void> ok =
              cu.check(cu.eventCreate(&event, 0), "cuEventCreate");
          !ok)
        return ok;
      events.push_back(event);
    }
    return {};
  }

  Result<void> recordStart(int sample, cuda::Stream queue) const {
    return cu.check(cu.eventRecord(events[2 * sample], queue), "cuEventRecord");
  }
  Result<void> recordEnd(int sample, cuda::Stream queue) const {
    return cu.check(cu.eventRecord(events[2 * sample + 1], queue),
                    "cuEventRecord");
  }
  Result<double> seconds(int sample) const {
    float milliseconds = 0;
    if (Result<void> ok =
            cu.check(cu.eventElapsedTime(&milliseconds, events[2 * sample],
                                         events[2 * sample + 1]),
                     "cuEventElapsedTime");
        !ok)
      return Error{ok.error()};
    return milliseconds * 1e-3;
  }

private:
  const cuda::Driver &cu;
  std::vector<cuda::Event> events;
};

/// Enqueues samples and reads their times.
struct SampleQueue {
  const cuda::Driver &cu;
  cuda::Stream queue;
  const std::function<Result<void>()> &flush, &work;
  EventPairs events;

  Result<void> prepare() const { return flush ? flush() : Result<void>(); }

  Result<void> enqueue(int sample) const {
    if (Result<void> ok = prepare(); !ok)
      return ok;
    if (Result<void> ok = events.recordStart(sample, queue); !ok)
      return ok;
    if (Result<void> ok = work(); !ok)
      return ok;
    return events.recordEnd(sample, queue);
  }

  Result<void> synchronize() const {
    return cu.check(cu.streamSynchronize(queue), "cuStreamSynchronize");
  }

  /// Wall-clock seconds of one run on an idle GPU.
  Result<double> launch() const {
    if (Result<void> ok = prepare(); !ok)
      return Error{ok.error()};
    if (Result<void> ok = synchronize(); !ok)
      return Error{ok.error()};
    auto start = Clock::now();
    Result<void> ok = work();
    Result<void> finished = synchronize();
    if (!ok || !finished)
      return Error{ok ? finished.error() : ok.error()};
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  /// The seconds of `count` samples, enqueued in one go.
  Result<std::vector<double>> batch(int count) const {
    Result<void> ok;
    for (int i = 0; i < count && ok; ++i)
      ok = enqueue(i);
    // Also after an error: the caller may free what the queue still uses.
    Result<void> finished = synchronize();
    if (!ok || !finished)
      return Error{ok ? finished.error() : ok.error()};
    std::vector<double> all;
    for (int i = 0; i < count; ++i) {
      Result<double> seconds = events.seconds(i);
      if (!seconds)
        return Error{seconds.error()};
      all.push_back(*seconds);
    }
    return all;
  }
};

} // namespace

Result<Turn> bench::takeCUDASamples(const cuda::Driver &cu, cuda::Stream queue,
                                    const std::function<Result<void>()> &flush,
                                    const std::function<Result<void>()> &work,
                                    const TurnOptions &options) {
  SampleQueue samples{cu, queue, flush, work, EventPairs(cu)};
  if (Result<void> ok = samples.events.create(); !ok)
    return Error{ok.error()};

  // A batch lasts about 50 ms, so that the rule's limits are kept closely.
  // Warming up in batches keeps the GPU as busy as sampling will: the power
  // that it draws decides its clocks.
  TurnRule rule(options);
  int perBatch = 1;
  while (rule.needsWarmup()) {
    auto start = Clock::now();
    if (auto ignored = samples.batch(perBatch); !ignored)
      return Error{ignored.error()};
    double seconds =
        std::chrono::duration<double>(Clock::now() - start).count();
    rule.addWarmup(seconds, perBatch);
    perBatch =
        int(std::clamp<double>(0.05 / (seconds / perBatch), 1,
                               std::min(options.samples, EventPairs::kMost)));
  }
  while (rule.needsSample()) {
    Result<std::vector<double>> taken = samples.batch(perBatch);
    if (!taken)
      return Error{taken.error()};
    for (double seconds : *taken)
      if (rule.needsSample())
        rule.addSample(seconds);
  }
  while (rule.needsLaunch()) {
    Result<double> seconds = samples.launch();
    if (!seconds)
      return Error{seconds.error()};
    rule.addLaunch(*seconds);
  }
  return rule.take();
}
