// The sampling loop on a GPU. Samples are enqueued in batches without waiting
// in between: were the queue to run empty, the time that the host takes to
// enqueue the several kernels of one run would be measured instead of theirs.
// The GPU waits before each batch, so that the host gets ahead, and for so long
// that all backends of a case keep the chip equally warm.
#include "measure/CUDASamples.h"
#include "measure/Cycle.h"

#include "attn/Support/Try.h"

#include <algorithm>
#include <chrono>

using namespace attn;
using namespace attn::bench;

namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Events that are used again and again.
class Events {
public:
  explicit Events(const cuda::Driver &cu) : cu(cu) {}
  ~Events() {
    for (cuda::Event event : events)
      cu.eventDestroy(event);
  }

  Result<void> create(size_t count) {
    while (events.size() < count) {
      cuda::Event event = nullptr;
      ATTN_TRY(cu.check(cu.eventCreate(&event, 0), "cuEventCreate"));
      events.push_back(event);
    }
    return {};
  }

  Result<void> record(size_t event, cuda::Stream queue) const {
    return cu.check(cu.eventRecord(events[event], queue), "cuEventRecord");
  }
  Result<double> seconds(size_t from, size_t to) const {
    float milliseconds = 0;
    ATTN_TRY(
        cu.check(cu.eventElapsedTime(&milliseconds, events[from], events[to]),
                 "cuEventElapsedTime"));
    return milliseconds * 1e-3;
  }

private:
  const cuda::Driver &cu;
  std::vector<cuda::Event> events;
};

/// One batch, as it went.
struct BatchTimes {
  std::vector<double> samples;
  double rest = 0, busy = 0; ///< as in Batch
  /// Seconds of the host: from the end of the batch before, and for each
  /// sample.
  double between = 0, host = 0;
};

/// Enqueues batches and reads their times.
class Batches {
public:
  Batches(const cuda::Driver &cu, cuda::Stream queue, const TurnSteps &steps,
          int most)
      : cu(cu), queue(queue), steps(steps), most(size_t(most)), events(cu) {}

  Result<void> create() { return events.create(2 * most + 3); }

  /// `count` samples, enqueued in one go, after `rest` seconds since the last
  /// batch ended.
  Result<BatchTimes> take(int count, double rest);

  /// One run on an idle GPU.
  struct LaunchTimes {
    double all, host; ///< wall-clock seconds
  };
  Result<LaunchTimes> launch() const;

private:
  /// Where a batch begins and ends; that of the batch before is kept.
  size_t begin() const { return 2 * most; }
  size_t end(size_t batch) const { return 2 * most + 1 + batch % 2; }

  Result<void> enqueue(size_t sample) const;
  Result<void> enqueueAll(int count, double wait) const;
  Result<BatchTimes> read(int count) const;
  Result<void> flush() const {
    return steps.flush ? steps.flush() : Result<void>();
  }
  Result<void> synchronize() const {
    return cu.check(cu.streamSynchronize(queue), "cuStreamSynchronize");
  }

  const cuda::Driver &cu;
  cuda::Stream queue;
  const TurnSteps &steps;
  size_t most;
  Events events;
  size_t taken = 0; ///< batches
  Clock::time_point finished = Clock::now();
};

Result<void> Batches::enqueue(size_t sample) const {
  ATTN_TRY(flush());
  ATTN_TRY(events.record(2 * sample, queue));
  ATTN_TRY(steps.work());
  return events.record(2 * sample + 1, queue);
}

Result<void> Batches::enqueueAll(int count, double wait) const {
  ATTN_TRY(steps.wait(wait));
  ATTN_TRY(events.record(begin(), queue));
  for (int i = 0; i < count; ++i)
    ATTN_TRY(enqueue(i));
  return events.record(end(taken), queue);
}

Result<BatchTimes> Batches::take(int count, double rest) {
  double between = secondsSince(finished);
  auto start = Clock::now();
  Result<void> ok = enqueueAll(count, rest - between);
  double host = secondsSince(start) / count;
  // Also after an error: the caller may free what the queue still uses.
  Result<void> done = synchronize();
  finished = Clock::now();
  ATTN_TRY(ok);
  ATTN_TRY(done);
  Result<BatchTimes> times = read(count);
  if (times) {
    times->between = between;
    times->host = host;
    ++taken;
  }
  return times;
}

Result<BatchTimes> Batches::read(int count) const {
  BatchTimes times;
  for (int i = 0; i < count; ++i) {
    ATTN_TRY_ASSIGN(double seconds, events.seconds(2 * i, 2 * i + 1));
    times.samples.push_back(seconds);
  }
  ATTN_TRY_ASSIGN(times.busy, events.seconds(begin(), end(taken)));
  if (taken) {
    ATTN_TRY_ASSIGN(times.rest, events.seconds(end(taken - 1), begin()));
  }
  return times;
}

Result<Batches::LaunchTimes> Batches::launch() const {
  ATTN_TRY(flush());
  ATTN_TRY(synchronize());
  auto start = Clock::now();
  Result<void> ok = steps.work();
  double host = secondsSince(start);
  Result<void> done = synchronize();
  ATTN_TRY(ok);
  ATTN_TRY(done);
  return LaunchTimes{secondsSince(start), host};
}

double medianOf(std::vector<double> values) {
  Timing timing;
  timing.samples = std::move(values);
  return timing.median();
}

/// The pace of the work, from a few batches without rests.
Result<Turn> findPace(Batches &batches, const TurnOptions &options) {
  constexpr int kBatches = 5;
  // The first call loads what is loaded late.
  Result<BatchTimes> times = batches.take(1, 0);
  std::vector<double> gpu, host, between;
  double total = 0;
  while (times && gpu.size() < kBatches && total < options.seconds) {
    double each = gpu.empty() ? times->busy : gpu.back();
    int count = batchSize(each, options);
    times = batches.take(count, 0);
    if (!times)
      break;
    gpu.push_back(times->busy / count);
    host.push_back(times->host);
    between.push_back(times->between);
    total += times->busy + times->rest;
  }
  ATTN_TRY(times);
  Turn turn;
  turn.pace = Pace{medianOf(gpu), medianOf(host), medianOf(between)};
  return turn;
}

} // namespace

Result<Turn> bench::takeCUDASamples(const cuda::Driver &cu, cuda::Stream queue,
                                    const TurnSteps &steps,
                                    const TurnOptions &options) {
  Batches batches(cu, queue, steps, std::max(options.samples, 1));
  ATTN_TRY(batches.create());
  if (options.onlyPace)
    return findPace(batches, options);

  // Warming up in the batches and with the rests of sampling keeps the GPU as
  // busy as sampling will: the power that it draws decides its clocks.
  TurnRule rule(options);
  int count = 1;
  double rest = 0;
  auto take = [&]() -> Result<BatchTimes> {
    Result<BatchTimes> times = batches.take(count, rest);
    if (times) {
      double each = times->busy / count;
      count = batchSize(each, options);
      rest = restFor(count * each, options.duty);
    }
    return times;
  };
  while (rule.needsWarmup()) {
    int warmed = count;
    ATTN_TRY_ASSIGN(BatchTimes times, take());
    rule.addWarmup(times.rest + times.busy, warmed);
  }
  while (rule.needsSample()) {
    ATTN_TRY_ASSIGN(BatchTimes times, take());
    rule.addBatch(times.samples, times.rest, times.busy);
  }
  while (rule.needsLaunch()) {
    ATTN_TRY_ASSIGN(auto launch, batches.launch());
    rule.addLaunch(launch.all, launch.host);
  }
  return rule.take();
}
