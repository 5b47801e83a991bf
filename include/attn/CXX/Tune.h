/// \file
/// Part of attn/attn.hpp: searches for faster schedules.
#ifndef ATTN_CXX_TUNE_H
#define ATTN_CXX_TUNE_H

#include "attn/CXX/Gradient.h"

namespace attn {
inline namespace v0 {

struct TuneOptions {
  /// All that a search may take, compiling included. 0: what searches before
  /// this one kept in the cache decides.
  double seconds = 5;
};

/// What a search found.
struct Tuning {
  /// For KernelSpec::schedule. Empty: what is chosen by rule stays.
  std::string schedule;
  int64_t tried = 0, candidates = 0; ///< others than that
  bool isFromCache = false;          ///< nothing was timed
  /// Seconds of what is chosen by rule over those of the best; 1 if that is the
  /// same.
  double gain = 1;
};

namespace detail {

/// Takes over `found`.
inline Tuning tuningOf(attn_tuning *found) {
  Tuning tuning;
  tuning.schedule = attn_tuning_schedule(found);
  tuning.tried = attn_tuning_tried(found);
  tuning.candidates = attn_tuning_candidates(found);
  tuning.isFromCache = attn_tuning_is_from_cache(found) != 0;
  tuning.gain = attn_tuning_gain(found);
  attn_tuning_release(found);
  return tuning;
}

} // namespace detail

/// Searches for the fastest schedule of a forward pass, for launches like this
/// one, which writes its results over and over; lists of tiles and the
/// workspace of `a` are not used. What is found is kept in the cache. CUDA:
/// nothing else should run on the GPU meanwhile. Errors: `spec` has a schedule
/// already, or is invariant; a stream that is being captured; those of
/// AttentionKernel::run().
inline Result<Tuning> tune(const Mod &mod, const KernelSpec &spec,
                           const AttentionArguments &a,
                           const TuneOptions &options = {}) {
  detail::ArgumentsOf arguments(a);
  if (Result<void> made = arguments.made(); !made)
    return Error{made.error()};
  attn_tuning *found = nullptr;
  if (Result<void> done = detail::check(
          attn_kernel_tune(mod.c(), detail::SpecOf(spec).get(), arguments.get(),
                           options.seconds, &found));
      !done)
    return Error{done.error()};
  return detail::tuningOf(found);
}

/// The same of a backward pass; `wrt`: as for GradientKernel::compile().
inline Result<Tuning> tune(const Mod &mod, const KernelSpec &spec,
                           const std::vector<std::string> &wrt,
                           const GradientArguments &a,
                           const TuneOptions &options = {}) {
  detail::GradientArgumentsOf arguments(a);
  if (Result<void> made = arguments.made(); !made)
    return Error{made.error()};
  std::vector<const char *> names;
  for (const std::string &name : wrt)
    names.push_back(name.c_str());
  attn_tuning *found = nullptr;
  if (Result<void> done = detail::check(attn_gradient_tune(
          mod.c(), detail::SpecOf(spec).get(), names.data(), names.size(),
          arguments.get(), options.seconds, &found));
      !done)
    return Error{done.error()};
  return detail::tuningOf(found);
}

} // namespace v0
} // namespace attn

#endif // ATTN_CXX_TUNE_H
