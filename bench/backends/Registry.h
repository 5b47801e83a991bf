// Backends by name. A name that is valid and cannot run here gives a backend
// which refuses with the reason, so that the case still has its row.
#ifndef ATTN_BENCH_BACKENDS_REGISTRY_H
#define ATTN_BENCH_BACKENDS_REGISTRY_H

#include "backends/Backend.h"

namespace attn::bench {

/// What a configuration says to backends.
struct BackendOptions {
  /// For `compiled`, `compiled_2` and so on: as KernelSpec::schedule, or
  /// `auto`.
  std::vector<std::string> schedules;
  bool exact = false; ///< for all of these, as KernelSpec::exact
  /// Gradients with the same bits on every run, of all backends.
  bool deterministic = false;
  /// For `compiled`, as CompiledOptions::tuneSeconds.
  std::optional<double> tuneSeconds = std::nullopt;
  std::string python = "python3"; ///< the interpreter of the PyTorch worker
  /// How long one answer of the worker may take; FlexAttention's tuning is the
  /// longest.
  double workerTimeout = 300;
  TorchOptions torch;
};

/// The backends that `names` mean on this device, in that order; none is null.
/// Those of PyTorch share one worker, which starts when it is first needed.
std::vector<std::unique_ptr<Backend>>
createBackends(const std::vector<std::string> &names, Device &,
               const BackendOptions &);

} // namespace attn::bench

#endif // ATTN_BENCH_BACKENDS_REGISTRY_H
