// What the gradients of a softmax have in common on all targets.
#ifndef ATTN_LIB_API_SOFTMAXGRADIENTIMPL_H
#define ATTN_LIB_API_SOFTMAXGRADIENTIMPL_H

#include "attn/API/SoftmaxGradient.h"
#include "attn/Dialect/Attn/IR/AttnDialect.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/OwningOpRef.h"

namespace attn {

struct SoftmaxGradientKernel::Impl {
  virtual ~Impl() = default;
  virtual Result<void> run(const SoftmaxGradientArguments &arguments,
                           void *stream) const = 0;

  bool readsScores = false;
  std::vector<CaptureInfo> captures;
};

using SoftmaxGradientImpl =
    Result<std::shared_ptr<SoftmaxGradientKernel::Impl>>;

SoftmaxGradientImpl createCPUSoftmaxGradient(const Mod &mod);
SoftmaxGradientImpl createCUDASoftmaxGradient(const Mod &mod,
                                              ElementType probabilityType);

/// The mod as it stands alone, with its derivative if it has a score program.
class DifferentiatedMod {
public:
  /// The caller holds the mod's mutex. Errors: there is no derivative.
  static Result<DifferentiatedMod> make(const Mod &mod);

  mlir::attn::ModOp get() const;
  bool readsScore() const;

  /// Emits the gradient of a pair's score, before the scale. `positions`:
  /// batch, head, query and key, as i32; all others are f32, `delta` the row's
  /// sum of p * gradient. Null for a score that is not read.
  mlir::Value emit(mlir::ImplicitLocOpBuilder &b, mlir::ValueRange captures,
                   mlir::Value score, mlir::Value p, mlir::Value gradient,
                   mlir::Value delta, mlir::Value scale,
                   mlir::ValueRange positions) const;

private:
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

} // namespace attn

#endif // ATTN_LIB_API_SOFTMAXGRADIENTIMPL_H
