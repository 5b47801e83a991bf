// tune() of a backward pass: how its work is divided among kernels, then the
// schedule of each kernel, those of the others as they were found.
#include "../Launch/CaptureViews.h"
#include "../Launch/GradientImpl.h"
#include "ModKernels.h"
#include "TunedPass.h"

#include "attn/Support/Try.h"

#include <algorithm>
#include <chrono>

using namespace attn;

namespace {
/// Memory of a target.
struct OwnMemory {
  int64_t bytes = 0;
  cuda::Buffer ofGPU;
  std::vector<double> ofHost;

  Result<void> allocate(Target target) {
    if (target == Target::CPU) {
      ofHost.resize(bytes / sizeof(double) + 1);
      return {};
    }
    ATTN_TRY_ASSIGN(ofGPU, cuda::Buffer::allocate(std::max<int64_t>(bytes, 1)));
    return {};
  }
  void *data() const {
    return ofGPU.data() ? ofGPU.data() : const_cast<double *>(ofHost.data());
  }
};

class GradientKernels final : public TunedPass::Kernels {
public:
  GradientKernels(GradientKernel kernel, const GradientArguments &arguments,
                  Target target)
      : kernel(std::move(kernel)), arguments(arguments),
        sizes(sizesOf(arguments)), target(target) {}

  Result<int64_t> spilledBytes() const override {
    return kernel.spilledBytes(sizes);
  }
  Result<void> makeReady() override {
    ATTN_TRY_ASSIGN(
        tiles, kernel.findTiles(sizes, arguments.captures, arguments.stream));
    workspace.bytes = kernel.workspaceBytes(sizes, arguments.captures);
    return workspace.allocate(target);
  }
  Result<void> run() const override {
    GradientArguments own = arguments;
    own.tiles = tiles.lists.empty() ? nullptr : &tiles;
    own.workspace = workspace.data();
    own.workspaceBytes = workspace.bytes;
    return kernel.run(own);
  }

private:
  GradientKernel kernel;
  const GradientArguments &arguments;
  ProblemSizes sizes;
  GradientTiles tiles;
  Target target;
  OwnMemory workspace;
};

class BackwardPass final : public TunedPass {
public:
  /// Of `given` all but what suits one kernel. `wrt`: as numbers.
  BackwardPass(const Mod &mod, const KernelSpec &spec,
               const std::vector<std::string> &names, std::vector<int64_t> wrt,
               const GradientArguments &given)
      : TunedPass({mod, spec, sizesOf(given), haveUnitStrides(given.captures),
                   std::move(wrt)},
                  given.stream),
        names(names), arguments(given) {
    arguments.tiles = nullptr;
    arguments.workspace = nullptr, arguments.workspaceBytes = 0;
  }

  Result<std::unique_ptr<Kernels>>
  compile(const Mod &mod, const std::string &schedules) const override {
    KernelSpec spec = launch.spec;
    spec.schedule = schedules;
    ATTN_TRY_ASSIGN(GradientKernel kernel,
                    GradientKernel::compile(mod, spec, names));
    ATTN_TRY(kernel.prepare(launch.sizes));
    return std::unique_ptr<Kernels>(std::make_unique<GradientKernels>(
        std::move(kernel), arguments, launch.spec.target));
  }

  const std::vector<std::string> &names; ///< as wrt
  GradientArguments arguments;
};

/// One search after another, each from what the last one found.
class SearchInTurns {
public:
  SearchInTurns(const BackwardPass &pass, const std::string &key,
                double seconds)
      : pass(pass), findings(key), asked(seconds), end(now() + seconds) {
    tuning.isFromCache = true;
  }

  /// Of the schedules that are left, with `share` of the time that is left.
  Result<void> search(const std::vector<std::string> &lists, double share) {
    SearchTime time{asked, std::max(end - now(), 0.0) * share};
    bool isRule = tuning.schedule.empty();
    ATTN_TRY_ASSIGN(Found found,
                    searchSchedules(pass, findings, lists, isRule, time));
    if (tuning.chosen.schedule.empty())
      tuning.chosen = firstOf(lists, found);
    addFound(tuning, lists, found);
    tuning.isFromCache &= found.isFromCache;
    return {};
  }

  Tuning tuning;

private:
  static double now() {
    std::chrono::duration<double> time =
        std::chrono::steady_clock::now().time_since_epoch();
    return time.count();
  }

  const BackwardPass &pass;
  TuningFindings findings;
  double asked; ///< seconds
  double end;
};
} // namespace

/// The context of the pass is current.
static Result<Tuning> tuneBackward(const BackwardPass &pass, double seconds) {
  const ScheduledLaunch &launch = pass.launch;
  // What is wrong with the arguments, the kernels that are chosen by rule say.
  ATTN_TRY_ASSIGN(GradientKernel chosen,
                  GradientKernel::compile(launch.mod, launch.spec, pass.names));
  ATTN_TRY(chosen.run(pass.arguments));
  if (isEmpty(launch.sizes))
    return Tuning();
  ATTN_TRY_ASSIGN(ScheduleCandidates forms, gradientForms(launch));
  ATTN_TRY_ASSIGN(std::string key, tuningKey(pass, forms.key));
  SearchInTurns turns(pass, key, seconds);
  // These are few: the rest of the time is for the kernels.
  ATTN_TRY(turns.search(forms.schedules, /*share=*/1));
  for (size_t i = 0;; ++i) {
    const std::string &found = turns.tuning.schedule;
    ATTN_TRY_ASSIGN(
        auto lists,
        gradientCandidates(launch, found.empty() ? forms.schedules[0] : found));
    if (i == lists.size())
      break;
    ATTN_TRY(turns.search(lists[i], /*share=*/1 / double(lists.size() - i)));
  }
  return std::move(turns.tuning);
}

Result<Tuning> attn::tune(const Mod &mod, const KernelSpec &spec,
                          const std::vector<std::string> &wrt,
                          const GradientArguments &arguments,
                          const TuneOptions &options) {
  ATTN_TRY(checkCanBeTuned(spec));
  ATTN_TRY_ASSIGN(std::vector<int64_t> numbers, findCaptures(mod, wrt));
  BackwardPass pass(mod, spec, wrt, std::move(numbers), arguments);
  return tuneInContext(pass,
                       [&] { return tuneBackward(pass, options.seconds); });
}
