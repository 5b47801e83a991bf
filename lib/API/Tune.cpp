// tune() of a forward pass, and what it has in common with that of gradients.
#include "../Launch/CUDALaunch.h"
#include "../Launch/CaptureViews.h"
#include "TunedPass.h"

#include "attn/API/Tiles.h"
#include "attn/Support/Try.h"

using namespace attn;

bool attn::isEmpty(const ProblemSizes &s) {
  return s.batch * s.heads * s.queries * s.keys == 0;
}

Result<void> attn::checkCanBeTuned(const KernelSpec &spec) {
  if (!spec.schedule.empty())
    return Error{"expects a spec without a schedule to tune, got '" +
                 spec.schedule + "'"};
  if (spec.invariant)
    return Error{"expects no KernelSpec::invariant to tune: its results do not "
                 "depend on what was timed"};
  return {};
}

Result<Tuning>
attn::tuneInContext(TunedPass &pass,
                    const std::function<Result<Tuning>()> &tune) {
  if (pass.launch.spec.target != Target::CUDA)
    return tune();
  ATTN_TRY_ASSIGN(cuda::Context asked, contextOf(pass.launch.spec));
  cuda::ContextScope scope(asked);
  pass.context = cuda::currentContext();
  ATTN_TRY_ASSIGN(bool capturing, isCapturing(pass.stream));
  if (capturing)
    return Error{"expects a stream that is not being captured to tune on"};
  return tune();
}

//===--- a forward pass ---------------------------------------------------===//

static ProblemSizes sizesOf(const AttentionArguments &a) {
  ProblemSizes sizes;
  sizes.batch = a.query.sizes[0];
  sizes.heads = a.query.sizes[1], sizes.kvHeads = a.key.sizes[1];
  sizes.queries = a.query.sizes[2];
  sizes.keys = a.pages ? a.pages->sizes[1] * a.key.sizes[2] : a.key.sizes[2];
  return sizes;
}

namespace {
class ForwardKernel final : public TunedPass::Kernels {
public:
  ForwardKernel(AttentionKernel kernel, const AttentionArguments &arguments)
      : kernel(std::move(kernel)), arguments(arguments),
        sizes(sizesOf(arguments)) {}

  Result<int64_t> spilledBytes() const override {
    return kernel.spilledBytes(sizes);
  }
  Result<void> makeReady() override {
    if (!kernel.needsTileLists())
      return {};
    ATTN_TRY_ASSIGN(
        lists, kernel.findTiles(sizes, arguments.captures, arguments.stream));
    return {};
  }
  Result<void> run() const override {
    AttentionArguments own = arguments;
    own.tiles = lists ? &lists : nullptr;
    return kernel.run(own);
  }

private:
  AttentionKernel kernel;
  const AttentionArguments &arguments;
  ProblemSizes sizes;
  TileLists lists;
};

class ForwardPass final : public TunedPass {
public:
  /// Of `given` all but what suits one kernel.
  ForwardPass(const Mod &mod, const KernelSpec &spec,
              const AttentionArguments &given)
      : TunedPass({mod, spec, sizesOf(given), haveUnitStrides(given.captures)},
                  given.stream),
        arguments(given) {
    arguments.tiles = nullptr;
    arguments.workspace = {};
  }

  Result<std::unique_ptr<Kernels>>
  compile(const Mod &mod, const std::string &schedule) const override {
    KernelSpec spec = launch.spec;
    spec.schedule = schedule;
    ATTN_TRY_ASSIGN(AttentionKernel kernel,
                    AttentionKernel::compile(mod, spec));
    ATTN_TRY(kernel.prepare(launch.sizes));
    return std::unique_ptr<Kernels>(
        std::make_unique<ForwardKernel>(std::move(kernel), arguments));
  }

  AttentionArguments arguments;
};
} // namespace

/// The context of the pass is current.
static Result<Tuning> tuneForward(const ForwardPass &pass, double seconds) {
  const ScheduledLaunch &launch = pass.launch;
  // What is wrong with the arguments, the kernel that is chosen by rule says.
  ATTN_TRY_ASSIGN(AttentionKernel chosen,
                  AttentionKernel::compile(launch.mod, launch.spec));
  ATTN_TRY(chosen.run(pass.arguments));
  Tuning tuning;
  if (isEmpty(launch.sizes))
    return tuning;
  ATTN_TRY_ASSIGN(ScheduleCandidates candidates, scheduleCandidates(launch));
  ATTN_TRY_ASSIGN(std::string key, tuningKey(pass, candidates.key));
  const std::vector<std::string> &schedules = candidates.schedules;
  ATTN_TRY_ASSIGN(Found found,
                  searchSchedules(pass, TuningFindings(key), schedules,
                                  /*isRule=*/true, {seconds, seconds}));
  tuning.chosen = firstOf(schedules, found);
  addFound(tuning, schedules, found);
  tuning.isFromCache = found.isFromCache;
  return tuning;
}

Result<Tuning> attn::tune(const Mod &mod, const KernelSpec &spec,
                          const AttentionArguments &arguments,
                          const TuneOptions &options) {
  ATTN_TRY(checkCanBeTuned(spec));
  ForwardPass pass(mod, spec, arguments);
  return tuneInContext(pass,
                       [&] { return tuneForward(pass, options.seconds); });
}
