// Searches for faster schedules.
#include "Arguments.h"
#include "Handles.h"

#include "attn/Support/Try.h"

#include <cmath>

using namespace attn;
using namespace attn::capi;

namespace {
/// What both kinds of searches are asked.
struct Asked {
  KernelSpec spec;
  TuneOptions options;
};
} // namespace

static Result<Asked> askedOf(const attn_mod *mod, const attn_spec *spec,
                             double seconds) {
  ATTN_TRY(expect(mod, "mod"));
  ATTN_TRY_ASSIGN(KernelSpec read, specOf(spec));
  // What a NaN is not either.
  if (!(seconds >= 0) || std::isinf(seconds))
    return Error{"expects 'seconds' of 0 or more, got " +
                 std::to_string(seconds)};
  return Asked{std::move(read), {seconds}};
}

static attn_status giveFound(Result<Tuning> found, attn_tuning **tuning) {
  if (!found)
    return statusOf(found);
  return give(tuning, std::move(*found));
}

attn_status attn_kernel_tune(const attn_mod *mod, const attn_spec *spec,
                             const attn_arguments *arguments, double seconds,
                             attn_tuning **tuning) {
  ATTN_EXPECT(expect(tuning, "tuning"));
  *tuning = nullptr;
  Result<Asked> asked = askedOf(mod, spec, seconds);
  ATTN_EXPECT(asked);
  auto run = argumentsOf(arguments, mod->mod.captures());
  ATTN_EXPECT(run);
  return giveFound(tune(mod->mod, asked->spec, *run, asked->options), tuning);
}

attn_status attn_gradient_tune(const attn_mod *mod, const attn_spec *spec,
                               const char *const *wrt, size_t wrt_count,
                               const attn_gradient_arguments *arguments,
                               double seconds, attn_tuning **tuning) {
  ATTN_EXPECT(expect(tuning, "tuning"));
  *tuning = nullptr;
  Result<Asked> asked = askedOf(mod, spec, seconds);
  ATTN_EXPECT(asked);
  const std::vector<CaptureInfo> &captures = mod->mod.captures();
  auto names = namesOf(wrt, wrt_count, captures.size());
  ATTN_EXPECT(names);
  auto run = argumentsOf(arguments, captures, wrt_count);
  ATTN_EXPECT(run);
  return giveFound(tune(mod->mod, asked->spec, *names, *run, asked->options),
                   tuning);
}

void attn_tuning_retain(attn_tuning *tuning) { retain(tuning); }
void attn_tuning_release(attn_tuning *tuning) { release(tuning); }

const char *attn_tuning_schedule(const attn_tuning *tuning) {
  return tuning ? tuning->tuning.schedule.c_str() : "";
}
double attn_tuning_gain(const attn_tuning *tuning) {
  return tuning ? tuning->tuning.gain : 1;
}
int64_t attn_tuning_tried(const attn_tuning *tuning) {
  return tuning ? static_cast<int64_t>(tuning->tuning.tried.size()) : 0;
}
int64_t attn_tuning_candidates(const attn_tuning *tuning) {
  return tuning ? tuning->tuning.candidates : 0;
}
int32_t attn_tuning_is_from_cache(const attn_tuning *tuning) {
  return tuning && tuning->tuning.isFromCache;
}
