// The sampling loop on a GPU. Samples are enqueued in batches without waiting
// in between: were the queue to run empty, the time that the host takes to
// enqueue the several kernels of one run would be measured instead of theirs.
// The GPU waits before each batch, so that the host gets ahead, and for so long
// that all backends of a case keep the chip equally warm.
#include "measure/CUDASamples.h"
#include "measure/Cycle.h"

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
      if (Result<void> ok =
              cu.check(cu.eventCreate(&event, 0), "cuEventCreate");
          !ok)
        return ok;
      events.push_back(event);
    }
    return {};
  }

  Result<void> record(size_t event, cuda::Stream queue) const {
    return cu.check(cu.eventRecord(events[event], queue), "cuEventRecord");
  }
  Result<double> seconds(size_t from, size_t to) const {
    float milliseconds = 0;
    if (Result<void> ok = cu.check(
            cu.eventElapsedTime(&milliseconds, events[from], events[to]),
            "cuEventElapsedTime");
        !ok)
      return Error{ok.error()};
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

  /// Wall-clock seconds of one run on an idle GPU.
  Result<double> launch() const;

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
  Result<void> ok = flush();
  if (ok)
    ok = events.record(2 * sample, queue);
  if (ok)
    ok = steps.work();
  return ok ? events.record(2 * sample + 1, queue) : ok;
}

Result<void> Batches::enqueueAll(int count, double wait) const {
  Result<void> ok = steps.wait(wait);
  if (ok)
    ok = events.record(begin(), queue);
  for (int i = 0; i < count && ok; ++i)
    ok = enqueue(i);
  return ok ? events.record(end(taken), queue) : ok;
}

Result<BatchTimes> Batches::take(int count, double rest) {
  double between = secondsSince(finished);
  auto start = Clock::now();
  Result<void> ok = enqueueAll(count, rest - between);
  double host = secondsSince(start) / count;
  // Also after an error: the caller may free what the queue still uses.
  Result<void> done = synchronize();
  finished = Clock::now();
  if (!ok || !done)
    return Error{ok ? done.error() : ok.error()};
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
    Result<double> seconds = events.seconds(2 * i, 2 * i + 1);
    if (!seconds)
      return Error{seconds.error()};
    times.samples.push_back(*seconds);
  }
  Result<double> busy = events.seconds(begin(), end(taken));
  Result<double> rest =
      taken ? events.seconds(end(taken - 1), begin()) : Result<double>(0.0);
  if (!busy || !rest)
    return Error{busy ? rest.error() : busy.error()};
  times.busy = *busy;
  times.rest = *rest;
  return times;
}

Result<double> Batches::launch() const {
  if (Result<void> ok = flush(); !ok)
    return Error{ok.error()};
  if (Result<void> ok = synchronize(); !ok)
    return Error{ok.error()};
  auto start = Clock::now();
  Result<void> ok = steps.work();
  Result<void> done = synchronize();
  if (!ok || !done)
    return Error{ok ? done.error() : ok.error()};
  return secondsSince(start);
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
  if (!times)
    return Error{times.error()};
  Turn turn;
  turn.pace = Pace{medianOf(gpu), medianOf(host), medianOf(between)};
  return turn;
}

} // namespace

Result<Turn> bench::takeCUDASamples(const cuda::Driver &cu, cuda::Stream queue,
                                    const TurnSteps &steps,
                                    const TurnOptions &options) {
  Batches batches(cu, queue, steps, std::max(options.samples, 1));
  if (Result<void> ok = batches.create(); !ok)
    return Error{ok.error()};
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
    Result<BatchTimes> times = take();
    if (!times)
      return Error{times.error()};
    rule.addWarmup(times->rest + times->busy, warmed);
  }
  while (rule.needsSample()) {
    Result<BatchTimes> times = take();
    if (!times)
      return Error{times.error()};
    rule.addBatch(times->samples, times->rest, times->busy);
  }
  while (rule.needsLaunch()) {
    Result<double> seconds = batches.launch();
    if (!seconds)
      return Error{seconds.error()};
    rule.addLaunch(*seconds);
  }
  return rule.take();
}
