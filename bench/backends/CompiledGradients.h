// The backward pass of `compiled`: the forward pass that it needs, and the
// kernels of gradients.
#ifndef ATTN_BENCH_BACKENDS_COMPILEDGRADIENTS_H
#define ATTN_BENCH_BACKENDS_COMPILEDGRADIENTS_H

#include "cases/Gradients.h"
#include "cases/Problem.h"
#include "devices/Tensors.h"
#include "measure/CodeTime.h"

#include "attn/API/Gradient.h"

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace attn::bench {

class CompiledGradients {
public:
  explicit CompiledGradients(Device &device) : device(device) {}

  /// Runs the forward pass of `spec` with the LSE, and compiles the kernels of
  /// gradients, whose schedules are tuned for so many seconds (nullopt: chosen
  /// by rule). The problem and what is wanted outlive the runs.
  Result<void> prepare(const Problem &problem, const Gradients &wanted,
                       const KernelSpec &spec,
                       std::optional<double> tuneSeconds);
  Result<void> run() const { return kernel->run(arguments); }
  void finish();
  /// Nothing is prepared any more.
  void reset();

  // Of the prepared problem.
  const CodeTime &codeTime() const { return ownCodeTime; }
  /// Of finding tiles; nullopt: there are no lists.
  std::optional<double> listsSeconds() const { return tilesSeconds; }
  /// What a search for schedules found; empty without.
  const std::string &remark() const { return tuned; }

private:
  /// A mod, and of a spec what cases differ in.
  using Key = std::tuple<const Mod::Impl *, ElementType, int64_t, int64_t, bool,
                         std::string>;

  static Key keyOf(const Problem &problem, const KernelSpec &spec);
  Result<void> runForward(const Problem &problem, KernelSpec spec);
  void setArguments(const Problem &problem, const Gradients &wanted);
  Result<void> compile(const Problem &problem, const KernelSpec &spec,
                       const std::vector<std::string> &wrt);
  Result<void> findTiles(const Problem &problem);

  Device &device;
  std::map<Key, AttentionKernel> forwardKernels;
  std::map<Key, GradientKernel> kernels;
  const GradientKernel *kernel = nullptr;
  GradientArguments arguments;
  GradientTiles tiles;
  Buffer out, lse; ///< what the forward pass gave
  Buffer workspace;
  CodeTime ownCodeTime;
  std::optional<double> tilesSeconds;
  std::string tuned;
};

} // namespace attn::bench

#endif // ATTN_BENCH_BACKENDS_COMPILEDGRADIENTS_H
