// A pass of a mod that is tuned, forward or backward, and the search among
// schedules of its kernels.
#ifndef ATTN_LIB_API_TUNEDPASS_H
#define ATTN_LIB_API_TUNEDPASS_H

#include "ScheduleCandidates.h"
#include "TuningFindings.h"

#include "attn/API/Tune.h"
#include "attn/Runtime/CUDADriver.h"

#include <functional>
#include <memory>

namespace attn {

/// The pass, and what all candidates are run with.
class TunedPass {
public:
  /// Those of one candidate.
  class Kernels {
  public:
    virtual ~Kernels() = default;
    /// In the launch that is tuned.
    virtual Result<int64_t> spilledBytes() const = 0;
    /// All that a run would do, or allocate, besides launching; once.
    virtual Result<void> makeReady() = 0;
    virtual Result<void> run() const = 0;
  };

  TunedPass(const ScheduledLaunch &launch, void *stream)
      : launch(launch), stream(stream) {}
  virtual ~TunedPass() = default;
  /// Compiled and loaded for the launch; empty: by rule. `mod`: the launch's,
  /// or a copy. Any thread, with the context current.
  virtual Result<std::unique_ptr<Kernels>>
  compile(const Mod &mod, const std::string &schedule) const = 0;

  ScheduledLaunch launch;
  void *stream;
  cuda::Context context = nullptr; ///< of CUDA: its current one
};

/// What a search among schedules found.
struct Found {
  SearchResult result;
  bool isFromCache = false;
};

/// All that times of these launches depend on, but for the schedule. `key`:
/// ScheduleCandidates::key.
Result<std::string> tuningKey(const TunedPass &pass, const std::string &key);

/// What a search may take.
struct SearchTime {
  /// What the caller gave for all searches: an earlier one of which as much was
  /// asked is believed. 0: no other is.
  double asked = 0;
  double seconds = 0; ///< of which this search has so many
};

/// The fastest of `schedules`, whose first is the one to beat. `isRule`: it is
/// what is chosen by rule.
Result<Found> searchSchedules(const TunedPass &pass,
                              const TuningFindings &findings,
                              const std::vector<std::string> &schedules,
                              bool isRule, SearchTime time);

/// Adds to `tuning` what was found of `schedules`, but for the first, and what
/// won if that is another.
void addFound(Tuning &tuning, const std::vector<std::string> &schedules,
              const Found &found);
/// What is known of the first.
TriedSchedule firstOf(const std::vector<std::string> &schedules,
                      const Found &found);

/// Makes the pass's context current, and tunes by `tune`, unless its stream is
/// being captured.
Result<Tuning> tuneInContext(TunedPass &pass,
                             const std::function<Result<Tuning>()> &tune);

/// Errors: what has schedules already, or needs the same for all.
Result<void> checkCanBeTuned(const KernelSpec &spec);

/// Whether a run computes anything.
bool isEmpty(const ProblemSizes &sizes);

} // namespace attn

#endif // ATTN_LIB_API_TUNEDPASS_H
