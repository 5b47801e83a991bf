// Finding a faster schedule than the compiler chooses by rule, by trying some
// (docs/Autotuning.md).
#ifndef ATTN_API_TUNE_H
#define ATTN_API_TUNE_H

#include "attn/API/Attention.h"
#include "attn/API/Gradient.h"

namespace attn {

struct TuneOptions {
  /// All that a search may take, compiling included; but for the kernel that is
  /// chosen by rule, which is timed in any case. 0: what searches before this
  /// one kept in the cache decides (attn/API/Cache.h).
  double seconds = 5;
};

/// One schedule, or of gradients a list of one for each kernel, and what is
/// known of it.
struct TriedSchedule {
  std::string schedule; ///< as KernelSpec::schedule has it
  double seconds = 0;   ///< of a run, in the median; 0: it does not run
  std::string failure;  ///< why not
};

struct Tuning {
  /// For KernelSpec::schedule. Empty: what is chosen by rule stays, as none of
  /// those that were tried is at least 2% faster for certain.
  std::string schedule;
  TriedSchedule chosen;             ///< by rule; seconds 0: it was not timed
  std::vector<TriedSchedule> tried; ///< the others, that differ least first
  int64_t candidates = 0;           ///< others, tried or not
  bool isFromCache = false;         ///< nothing was timed
  /// Seconds of the one that was chosen by rule over those of the best, as they
  /// were sampled in turns; 1 if that is the same.
  double gain = 1;
};

/// Searches for the fastest schedule of a forward pass, for launches like this
/// one: `arguments` are those of AttentionKernel::run(), which writes its
/// results over and over (its lists of tiles are not read). What is found is
/// kept in the cache, for each schedule by itself, so that a search that was
/// cut short goes on where it ended, and one that is repeated takes no time; it
/// holds for launches whose numbers of rows, queries and keys have the same
/// binary logarithm, rounded down. How many sequences ragged rows have does not
/// count.
///
/// CUDA: nothing else should run on the GPU meanwhile. Errors: `spec` has a
/// schedule already, or is invariant; what compile() and run() say of the one
/// that is chosen by rule; a stream that is being captured.
Result<Tuning> tune(const Mod &mod, const KernelSpec &spec,
                    const AttentionArguments &arguments,
                    const TuneOptions &options = {});

/// The same of a backward pass: `wrt` is that of GradientKernel::compile(), and
/// `arguments` those of GradientKernel::run(), of which the workspace is not
/// used. One way to divide the work among kernels is chosen first, unless
/// KernelSpec::deterministic asks for one, and then each kernel's schedule, one
/// after another.
Result<Tuning> tune(const Mod &mod, const KernelSpec &spec,
                    const std::vector<std::string> &wrt,
                    const GradientArguments &arguments,
                    const TuneOptions &options = {});

} // namespace attn

#endif // ATTN_API_TUNE_H
