// What a measurement of one backend is: its samples, how sure the median is,
// and why sampling ended. The rule that ends it is apart from the clocks.
#ifndef ATTN_BENCH_MEASURE_TIMING_H
#define ATTN_BENCH_MEASURE_TIMING_H

#include <cstddef>
#include <optional>
#include <vector>

namespace attn::bench {

/// Why sampling ended.
enum class Stop {
  NotSampled,
  Precise,     ///< the confidence interval is as narrow as was asked for
  SampleLimit, ///< it is not, after TimingOptions::maxSamples
  TimeLimit    ///< it is not, after TimingOptions::maxSeconds
};

/// "precise", "sample limit", "time limit", "not sampled".
const char *toString(Stop stop);

/// Seconds.
struct Interval {
  double low = 0, high = 0;
};

/// What one sample of a backend takes on a GPU, flush included. Seconds.
struct Pace {
  double gpu = 0;  ///< that the GPU works
  double host = 0; ///< that the host takes to enqueue it
  /// That the host takes after a batch until it enqueues the next.
  double between = 0;
};

/// Samples that were enqueued in one go, by the GPU's clock.
struct Batch {
  int samples = 0; ///< that were taken from it
  double rest = 0; ///< seconds without work before it
  double busy = 0; ///< seconds of work, flushes included
};

/// What one turn of a backend gave. Backends of a case take turns, so that a
/// change of clock or load meets all of them.
struct Turn {
  /// Seconds of each run on the device's own clock: CUDA: between two events
  /// around the run, enqueued while the GPU is still busy, so that the host's
  /// share is hidden. CPU: by the wall clock.
  std::vector<double> samples;
  /// Seconds from the call of a run on an idle device until it has finished,
  /// by the wall clock. CPU: the same as `samples`.
  std::vector<double> withLaunch;
  /// CUDA: the part of each of these until the call has returned: what the host
  /// takes to check the arguments and to enqueue all kernels of the run.
  std::vector<double> host;
  std::vector<Batch> batches; ///< CUDA: those that samples were taken from
  std::optional<Pace> pace;   ///< if it was asked for
};

/// How long a turn is.
struct TurnOptions {
  /// Whether a run may find its inputs in the cache. If not, the L2 cache is
  /// flushed before each run (CUDA; on the processor there is no flush).
  bool hot = false;
  double warmupSeconds = 0.02; ///< and three calls, if they are short
  double seconds = 0.1;        ///< of samples; at least one is taken
  int samples = 32;
  int launches = 4; ///< samples withLaunch, if runs are short
  /// CUDA: samples are enqueued in batches of about so many seconds.
  double batchSeconds = 0.05;
  /// CUDA: the share of time that the GPU works; it rests before each batch.
  double duty = 1;
  /// CUDA: only finds out the pace, without rests.
  bool onlyPace = false;
};

/// When a backend has been sampled enough.
struct TimingOptions {
  /// Half the width of the 95% confidence interval over the median.
  double precision = 0.005;
  int minRounds = 3;
  int maxSamples = 1000;
  double maxSeconds = 1.0;  ///< of samples
  double turnSeconds = 0.1; ///< of samples in each turn
  bool hot = false;
  double warmupSeconds = 0.02; ///< of each turn
  /// Whether all take their turns at the same duty, which follows from their
  /// paces (Cycle.h). Their first turns find those out.
  bool paced = false;
};

/// All that is known of one backend's time for one case and one direction.
struct Timing {
  std::vector<double> samples;    ///< seconds, in the order of taking them
  std::vector<double> withLaunch; ///< seconds
  std::vector<double> host;       ///< seconds; none on a CPU
  std::vector<int> rounds;        ///< samples taken in each round
  Stop stop = Stop::NotSampled;
  bool hot = false;
  double duty = 0; ///< the one that was asked for; 0: none was
  std::optional<Pace> pace;
  std::vector<Batch> batches; ///< in the order of taking them

  double median() const;           ///< of samples; 0 without any
  double medianWithLaunch() const; ///< 0 without any
  double medianHost() const;       ///< 0 without any
  /// The share of time that the GPU worked, over all batches; 0 without any.
  double busyShare() const;
  /// The 95% confidence interval of the median, by order statistics: free of
  /// any assumption on the distribution, but values are taken to be
  /// independent. So they are the medians of the turns, since the samples of
  /// one meet the same clock; below six turns they are the samples. Fewer than
  /// six samples: from the smallest to the largest, which covers less (75% for
  /// three).
  Interval interval() const;
  /// Half of the interval's width over the median; 1 below six samples.
  double relativeError() const;
};

/// The rule that ends sampling.
class Sampler {
public:
  explicit Sampler(const TimingOptions &options);

  /// Whether the backend takes part in the next round.
  bool needsTurn() const { return timing.stop == Stop::NotSampled; }
  void add(const Turn &turn);
  const Timing &result() const { return timing; }

private:
  TimingOptions options;
  Timing timing;
  double total = 0; ///< seconds of samples
};

/// Decides how many warm-up calls, samples and launches a turn takes.
class TurnRule {
public:
  explicit TurnRule(const TurnOptions &options) : options(options) {}

  bool needsWarmup() const;
  /// `count` calls took `seconds` together.
  void addWarmup(double seconds, int count = 1);
  bool needsSample() const;
  void addSample(double seconds);
  /// Adds of `samples` as many as are needed, with the seconds of their batch.
  void addBatch(const std::vector<double> &samples, double rest, double busy);
  bool needsLaunch() const;
  void addLaunch(double seconds, double host) {
    turn.withLaunch.push_back(seconds);
    turn.host.push_back(host);
  }

  Turn take() { return std::move(turn); }

private:
  TurnOptions options;
  Turn turn;
  double warmupTotal = 0, total = 0;
  int warmups = 0;
};

} // namespace attn::bench

#endif // ATTN_BENCH_MEASURE_TIMING_H
