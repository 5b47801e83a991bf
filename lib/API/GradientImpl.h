// What the kernels of gradients have in common, and where each is made.
#ifndef ATTN_LIB_API_GRADIENTIMPL_H
#define ATTN_LIB_API_GRADIENTIMPL_H

#include "attn/API/Gradient.h"
#include "attn/API/Tiles.h"
#include "attn/Runtime/Signature.h"

namespace attn {

struct GradientKernel::Impl {
  virtual ~Impl() = default;
  /// Runs on arguments that have been checked, with at least one key and one
  /// query. `bindings`: all of them but lists of tiles.
  virtual Result<void> run(const GradientArguments &arguments,
                           Bindings &bindings) const = 0;

  /// Of the memory for statistics: whole tiles.
  int64_t statisticRows(int64_t queries) const {
    return (queries + queryTile - 1) / queryTile * queryTile;
  }

  KernelSpec spec;
  std::vector<CaptureInfo> captures;
  double compileSeconds = 0;
  std::string schedule;
  int64_t queryTile = 0; ///< of the kernel that owns queries
};

using GradientImpl = Result<std::shared_ptr<GradientKernel::Impl>>;

GradientImpl createCPUGradients(const Mod &mod, const KernelSpec &spec);

} // namespace attn

#endif // ATTN_LIB_API_GRADIENTIMPL_H
