// What the kernels of gradients have in common, and where each is made.
#ifndef ATTN_LIB_API_GRADIENTIMPL_H
#define ATTN_LIB_API_GRADIENTIMPL_H

#include "CaptureGradients.h"

#include "attn/API/Gradient.h"
#include "attn/API/Tiles.h"
#include "attn/Runtime/Signature.h"

namespace attn {

struct GradientKernel::Impl {
  virtual ~Impl() = default;
  /// Runs on arguments that have been checked, with at least one key and one
  /// query. `bindings`: all of them but lists of tiles. `workspace`: of the
  /// sums for captures.
  virtual Result<void> run(const GradientArguments &arguments,
                           const CaptureWorkspace &workspace,
                           Bindings &bindings) const = 0;

  KernelSpec spec;
  std::vector<CaptureInfo> captures;
  std::vector<int64_t> wrt; ///< captures, as GradientArguments::gradCaptures
  std::vector<CaptureSumPlan> sums;
  int64_t queryTile = 0;
  double compileSeconds = 0;
  std::string schedule;
};

using GradientImpl = Result<std::shared_ptr<GradientKernel::Impl>>;

GradientImpl createCPUGradients(const Mod &mod, const KernelSpec &spec,
                                const std::vector<int64_t> &wrt);

} // namespace attn

#endif // ATTN_LIB_API_GRADIENTIMPL_H
