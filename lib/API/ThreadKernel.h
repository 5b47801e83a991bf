// Kernels with a task for each piece of a row
// (attn/Conversion/ThreadKernels.h), on either target: what is common to the
// operations around an attention.
#ifndef ATTN_LIB_API_THREADKERNEL_H
#define ATTN_LIB_API_THREADKERNEL_H

#include "attn/API/Attention.h"
#include "attn/Runtime/LoadedCPUKernel.h"
#include "attn/Runtime/LoadedKernel.h"

#include "mlir/IR/BuiltinOps.h"

#include <functional>
#include <optional>

namespace attn {

class ThreadKernel {
public:
  /// `build`: makes the one function of a module, whose arguments have roles.
  /// CUDA: `device` as KernelSpec has it. Errors: no such GPU, or none is said;
  /// what the compiler says.
  static Result<ThreadKernel>
  compile(Target target, std::optional<int> device,
          const std::function<void(mlir::ModuleOp)> &build);

  /// Runs so many tasks. CUDA: asynchronously.
  Result<void> run(int64_t tasks, Bindings &bindings, void *stream) const;

  /// Copies memory of the target, and waits for it.
  Result<void> copyToHost(void *to, const void *from, int64_t bytes,
                          void *stream) const;

  double compileSeconds() const { return seconds; }

private:
  std::optional<cpu::LoadedKernel> ofCPU;
  std::optional<cuda::LoadedKernel> ofGPU;
  cuda::Context context = nullptr; ///< of a GPU
  double seconds = 0;
};

/// Of F32, F16 or BF16, and of 1 to 256 channels. `name`: of the dimension.
Result<void> checkElementType(ElementType type);
Result<void> checkChannels(const char *name, int64_t channels);

} // namespace attn

#endif // ATTN_LIB_API_THREADKERNEL_H
