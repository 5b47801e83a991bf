// The project's own kernel: one for each mod, type and dimensions, whatever the
// lengths.
#include "backends/Backend.h"
#include "backends/CompiledGradients.h"
#include "backends/TileListSource.h"
#include "backends/TuningText.h"
#include "config/Config.h"
#include "devices/Tensors.h"
#include "measure/CodeTime.h"

#include "attn/API/Tiles.h"
#include "attn/API/Tune.h"
#include "attn/Support/Try.h"

#include <map>
#include <tuple>

using namespace attn;
using namespace attn::bench;

namespace {
class Compiled final : public Backend, private TileListSource {
public:
  Compiled(const std::string &label, Device &device,
           const CompiledOptions &options)
      : label(label), device(device), options(options) {}
  const char *name() const override { return label.c_str(); }

  std::optional<Refusal> prepare(const Problem &newProblem) override {
    problem = &newProblem;
    kernel = nullptr;
    codeTime = {};
    gradients.reset();
    schedule = options.schedule == autoSchedule ? "" : options.schedule;
    tuned.clear();
    if (std::optional<double> seconds = secondsToTune())
      if (Result<void> found = tuneSchedule(*seconds); !found)
        return Refusal{Refusal::Failed, found.error()};
    if (std::optional<Refusal> refusal = findKernel())
      return refusal;
    lists = {};
    if (kernel->needsTileLists())
      if (Result<void> made = makeLists(); !made)
        return Refusal{Refusal::Failed, made.error()};
    return std::nullopt;
  }

  std::optional<Refusal> prepareBackward(const Gradients &wanted) override {
    if (label != "compiled") // another schedule of the forward pass
      return Refusal{Refusal::Unsupported, "has the gradients of compiled"};
    Result<void> ready =
        gradients.prepare(*problem, wanted, spec(), secondsToTune());
    return ready ? std::nullopt
                 : std::optional(Refusal{Refusal::Failed, ready.error()});
  }

  bool hasCaptureGradients() const override { return true; }

  Result<void> run(Pass pass) override {
    if (pass == Pass::Backward)
      return gradients.run();
    AttentionArguments a = arguments();
    a.tiles = lists ? &lists : nullptr;
    return kernel->run(a);
  }
  void finish() override {
    lists = {};
    gradients.finish();
  }

  TileListSource *tileLists() override { return kernel ? this : nullptr; }
  std::string remark() const override {
    return options.named ? options.schedule : tuned;
  }
  std::string backwardRemark() const override { return gradients.remark(); }
  double compileSeconds(Pass pass) const override {
    return codeTimeOf(pass).compiled;
  }
  double cachedSeconds(Pass pass) const override {
    return codeTimeOf(pass).cached;
  }
  std::vector<KernelCount> kernels() const override {
    std::vector<KernelCount> counts;
    for (const auto &[key, object] : objects)
      counts.push_back(object.count);
    return counts;
  }
  std::optional<double> listsSeconds(Pass pass) const override {
    return pass == Pass::Backward ? gradients.listsSeconds() : std::nullopt;
  }

private:
  using Key = std::tuple<const Mod::Impl *, ElementType, int64_t, int64_t, bool,
                         bool, std::string>;

  /// A kernel with all its variants.
  struct Object {
    Result<AttentionKernel> kernel;
    KernelCount count;
  };

  Key keyOf() const {
    return {&problem->mod->impl(),
            problem->type,
            problem->sizes.headDim,
            problem->sizes.valueDim,
            isAligned(),
            isPaged(),
            schedule};
  }
  bool isPaged() const { return problem->cache && problem->cache->pages; }
  /// With pages there is room for whole ones.
  ProblemSizes launchSizes() const {
    ProblemSizes sizes = problem->sizes;
    if (isPaged())
      sizes.keys =
          problem->cache->pages->columns * problem->cache->pages->key.sizes[2];
    return sizes;
  }

  AttentionArguments arguments() const {
    AttentionArguments a;
    a.query = problem->query, a.key = problem->key, a.value = problem->value;
    a.captures = problem->captures, a.out = problem->out;
    a.stream = device.stream();
    if (isPaged()) {
      const KeyPages &pages = *problem->cache->pages;
      a.key = pages.key, a.value = pages.value;
      a.pages = {pages.table, {problem->sizes.batch, pages.columns}};
    }
    return a;
  }

  const CodeTime &codeTimeOf(Pass pass) const {
    return pass == Pass::Forward ? codeTime : gradients.codeTime();
  }

  /// Nullopt: what is given, or chosen by rule, is run.
  std::optional<double> secondsToTune() const {
    return options.schedule == autoSchedule ? options.tuneSeconds
                                            : std::nullopt;
  }
  Result<void> tuneSchedule(double seconds);
  std::optional<Refusal> findKernel();
  Result<void> compileVariant(Object &object);
  /// Adds what a step took to what its kernel did.
  void add(KernelCount &count, const CodeTime &time);

  TileSize tileSize() const override {
    return {kernel->queryTile(), kernel->keyTile()};
  }
  bool makesLists() const override { return kernel->needsTileLists(); }
  Result<void> makeLists() override {
    ATTN_TRY_ASSIGN(lists, kernel->findTiles(launchSizes(), problem->captures,
                                             device.stream(), lists));
    return {};
  }

  KernelSpec spec() const {
    KernelSpec spec;
    spec.target = device.target();
    spec.type = problem->type;
    spec.headDim = problem->sizes.headDim;
    spec.valueDim = problem->sizes.valueDim;
    spec.scale = problem->scale;
    spec.aligned = isAligned();
    spec.schedule = schedule;
    spec.exact = options.exact;
    spec.paged = isPaged();
    spec.deterministic = options.deterministic;
    return spec;
  }

  /// Buffers are aligned and rows adjoin, so the dimensions decide.
  bool isAligned() const {
    int64_t width = byteWidth(problem->type);
    return problem->sizes.headDim * width % 16 == 0 &&
           problem->sizes.valueDim * width % 16 == 0;
  }

  std::string label;
  std::string schedule; ///< for the prepared problem; empty: chosen by rule
  std::string tuned;    ///< what a search for it found, for a reader
  Device &device;
  CompiledOptions options;
  const Problem *problem = nullptr;
  const AttentionKernel *kernel = nullptr;
  TileLists lists;
  CodeTime codeTime; ///< for the prepared problem
  std::map<Key, Object> objects;
  CompiledGradients gradients{device};
};

std::string kernelName(const Problem &problem) {
  const ProblemSizes &s = problem.sizes;
  std::string dims = std::to_string(s.headDim);
  if (s.valueDim != s.headDim)
    dims += "/" + std::to_string(s.valueDim);
  return problem.pattern + " " + toString(problem.type) + " D" + dims +
         (problem.cache && problem.cache->pages ? " in pages" : "");
}

Result<void> Compiled::tuneSchedule(double seconds) {
  ATTN_TRY_ASSIGN(Tuning tuning,
                  tune(*problem->mod, spec(), arguments(), {seconds}));
  schedule = tuning.schedule;
  tuned = textOf(tuning);
  return {};
}

/// The kernel for the problem, with the variant that its sizes take.
std::optional<Refusal> Compiled::findKernel() {
  Key key = keyOf();
  auto found = objects.find(key);
  if (found == objects.end() && options.schedule != autoSchedule)
    // Said before the run already, and no fault.
    if (Result<void> suits = AttentionKernel::check(*problem->mod, spec());
        !suits)
      return Refusal{Refusal::Unsupported, suits.error()};
  if (found == objects.end()) {
    CodeTimer timer;
    Object object{AttentionKernel::compile(*problem->mod, spec()),
                  {label, kernelName(*problem)}};
    if (object.kernel)
      add(object.count, timer.stop());
    found = objects.emplace(key, std::move(object)).first;
  }
  Object &object = found->second;
  if (!object.kernel)
    return Refusal{Refusal::Failed, object.kernel.error()};
  if (Result<void> ready = compileVariant(object); !ready)
    return Refusal{Refusal::Failed, ready.error()};
  kernel = &*object.kernel;
  const KernelCount &count = object.count;
  int compiles = count.compiles + count.cached; // as without a cache
  if (options.mostCompiles && compiles > *options.mostCompiles)
    return Refusal{Refusal::Failed, "the kernel of " + count.of +
                                        " was compiled " +
                                        std::to_string(compiles) +
                                        " times, of which 'dynamic' allows " +
                                        std::to_string(*options.mostCompiles)};
  return std::nullopt;
}

void Compiled::add(KernelCount &count, const CodeTime &time) {
  codeTime += time;
  count.compiles += time.compiled > 0;
  count.cached += time.cached > 0;
  count.seconds += time.compiled + time.cached;
}

/// Compiles what launches of the problem's sizes take, if it is not there yet.
Result<void> Compiled::compileVariant(Object &object) {
  CodeTimer timer;
  ATTN_TRY(object.kernel->prepare(launchSizes()));
  add(object.count, timer.stop());
  return {};
}
} // namespace

std::unique_ptr<Backend>
attn::bench::createCompiled(const std::string &name, Device &device,
                            const CompiledOptions &options) {
  return std::make_unique<Compiled>(name, device, options);
}
