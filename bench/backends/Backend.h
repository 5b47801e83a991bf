// One way of computing attention: the generated kernel or a peer. One file per
// backend, beside this one; each loads its libraries at run time.
#ifndef ATTN_BENCH_BACKENDS_BACKEND_H
#define ATTN_BENCH_BACKENDS_BACKEND_H

#include "backends/Refusal.h"
#include "cases/Gradients.h"
#include "cases/Problem.h"
#include "devices/Device.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace attn::bench {

class TileListSource;

class Backend {
public:
  virtual ~Backend() = default;
  /// As in YAML and on the command line.
  virtual const char *name() const = 0;
  /// Gets ready to run the problem: loads, compiles, allocates workspace. The
  /// problem outlives the runs. nullopt: ready.
  virtual std::optional<Refusal> prepare(const Problem &) = 0;
  /// Gets ready for the gradients of the prepared problem, the forward pass
  /// included. `gradients` outlives the runs. nullopt: ready.
  virtual std::optional<Refusal> prepareBackward(const Gradients &gradients);
  /// Whether the backward pass writes Gradients::captures.
  virtual bool hasCaptureGradients() const { return false; }
  /// Enqueues one run of a pass that is prepared: it writes all of the output,
  /// or of the gradients.
  virtual Result<void> run(Pass) = 0;
  /// One turn of runs. A backend that computes in another process times itself.
  /// Errors: as run(); "interrupted" after Ctrl-C.
  virtual Result<Turn> time(Device &, Pass, const TurnOptions &);
  /// Frees what prepare() took.
  virtual void finish() {}
  /// Seconds that getting ready for a pass spent in compiling; 0 if it compiles
  /// nothing.
  virtual double compileSeconds(Pass) const { return 0; }
  /// The same of code that came from the cache on disk.
  virtual double cachedSeconds(Pass) const { return 0; }
  /// What it has compiled since it was made, a kernel each; empty if nothing.
  virtual std::vector<KernelCount> kernels() const { return {}; }
  /// The tiles that the prepared kernel visits; null if it has none.
  virtual TileListSource *tileLists() { return nullptr; }
  /// What it computes with, once it is known, beyond the libraries which this
  /// process has loaded: "PyTorch 2.11.0"; usually empty.
  virtual std::string versions() const { return ""; }
  /// Something a reader of the row should know; usually empty.
  virtual std::string remark() const { return ""; }
  /// The same of the prepared backward pass.
  virtual std::string backwardRemark() const { return ""; }
  /// What it took to make a pass's lists of tiles or block mask, which is in no
  /// other time; seconds. Not of those that tileLists() makes.
  virtual std::optional<double> listsSeconds(Pass) const {
    return std::nullopt;
  }
};

struct CompiledOptions {
  std::string schedule; ///< as KernelSpec::schedule, or `auto`
  bool named = false;   ///< a reader has to be told which schedule it is
  bool exact = false;   ///< as KernelSpec::exact
  /// How often a kernel may be compiled; more is a failure. Nullopt: any
  /// number.
  std::optional<int> mostCompiles = std::nullopt;
  bool deterministic = false; ///< as KernelSpec::deterministic
  /// Seconds in which to find a faster schedule than `auto` gives, for each
  /// kernel and range of sizes (attn/API/Tune.h). Nullopt: it is not tried.
  std::optional<double> tuneSeconds = std::nullopt;
};
/// What one kernel may be compiled for (attn-select-schedule): few tasks of
/// short rows, a full round of tasks, few tasks, few rounds, short rows, any
/// sizes; 16, 32 and 64 packed rows.
inline constexpr int kMostVariants = 9;
std::unique_ptr<Backend> createCompiled(const std::string &name, Device &,
                                        const CompiledOptions &);
/// OpenBLAS or cuBLAS GEMMs around a softmax with the mods applied.
std::unique_ptr<Backend> createMathCPU(Device &);
std::unique_ptr<Backend> createMathCUDA(Device &);
/// cuDNN's SDPA graph through cudnn-frontend. `deterministic`: gradients with
/// the same bits on every run.
std::unique_ptr<Backend> createCudnn(Device &, bool deterministic);

class TorchWorker;
struct TorchOptions {
  bool maxAutotune = false, dynamic = false; ///< for FlexAttention
  bool deterministic = false; ///< gradients with the same bits on every run
};
/// One of the worker's backends, by its name there.
std::unique_ptr<Backend> createTorch(const std::string &name, Device &,
                                     const TorchOptions &,
                                     std::shared_ptr<TorchWorker>);

} // namespace attn::bench

#endif // ATTN_BENCH_BACKENDS_BACKEND_H
