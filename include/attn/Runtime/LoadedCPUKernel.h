// Kernels on the CPU: loaded from an image, or compiled in this process, and
// run on all cores with what is bound to their parameters.
#ifndef ATTN_RUNTIME_LOADEDCPUKERNEL_H
#define ATTN_RUNTIME_LOADEDCPUKERNEL_H

#include "attn/Runtime/KernelImage.h"
#include "attn/Runtime/TaskCall.h"

#include <memory>
#include <vector>

namespace attn::cpu {

class LoadedKernel {
public:
  /// All entries of the image, in its order. Errors: code for something else
  /// than a CPU, or for one that can do more than this one; the system's
  /// loader; code that does not have what its entries name.
  static Result<std::vector<LoadedKernel>> load(const KernelImage &image);

  /// Of code that is here already, as long as `owner` lives.
  LoadedKernel(KernelEntry entry, PackedFunction compute, PackedFunction count,
               std::shared_ptr<const void> owner)
      : description(std::move(entry)), compute(compute), count(count),
        owner(std::move(owner)) {}

  const KernelEntry &entry() const { return description; }

  /// Runs all tasks. Errors: something is not bound.
  Result<void> run(Bindings &bindings) const;
  /// Runs so many tasks, whatever the kernel counts. Many of them do little.
  Result<void> runShort(int64_t tasks, Bindings &bindings) const;

private:
  KernelEntry description;
  PackedFunction compute, count;
  std::shared_ptr<const void> owner;
};

} // namespace attn::cpu

#endif // ATTN_RUNTIME_LOADEDCPUKERNEL_H
