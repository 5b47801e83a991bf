// A mod's kernels by the compiler in this process: what the launching side asks
// for (lib/Launch/KernelSource.h), made when it is asked for.
#ifndef ATTN_LIB_API_MODKERNELS_H
#define ATTN_LIB_API_MODKERNELS_H

#include "../Launch/KernelSource.h"
#include "KernelImages.h"

#include "attn/API/KernelPackage.h"

namespace attn {

/// Which kernels.
struct KernelRequest {
  Mod mod;
  KernelSpec spec; ///< with what its dimensions say of alignment
  /// Of attn-select-schedule: "cpu", "sm80" or "sm90a".
  const char *planTarget = "cpu";
  /// Code for a CPU: as LLVM names it; empty: this process's.
  std::string cpu = {};
  bool gradients = false;
  std::vector<int64_t> wrt = {}; ///< of gradients
};

/// Errors: what the mod or the target does not take.
Result<KernelDescription> planKernels(const KernelRequest &request);

/// Thread-safe: it takes turns on the mod.
SharedSource createModSource(const KernelRequest &request);

/// Lowers the kernel for launches of any sizes on such memory as far as it must
/// be to say whether it can be compiled. Gives the shared memory of a block, in
/// bytes: 0 for a CPU.
Result<int64_t> lowerForCheck(const KernelRequest &request,
                              const LaunchMemory &memory);

/// Whether the mod has what `spec` asks for.
Result<void> checkPositions(const Mod &mod, const KernelSpec &spec);

/// Errors: what there are no gradients of.
Result<void> checkHasGradients(const KernelSpec &spec);

/// The captures of a mod that `names` names, by number, in the same order.
/// Errors: no such capture, one of integers, one that is named twice.
Result<std::vector<int64_t>>
findCaptures(const Mod &mod, const std::vector<std::string> &names);

/// The request for the GPU of the current context, with the spec and the target
/// as they are for it. Errors: a schedule that this GPU cannot run.
Result<KernelRequest> requestForGPU(KernelRequest request);

/// That of a package's forward pass. Errors: a target that there is not.
Result<KernelRequest> requestForPackage(const Mod &mod,
                                        const PackageSpec &spec);

/// How far printKernel() lowers.
enum class PrintedForm { Scheduled, LLVM };

/// The IR of the kernel for launches of any sizes on aligned memory.
Result<std::string> printKernel(const KernelRequest &request, PrintedForm form);

} // namespace attn

#endif // ATTN_LIB_API_MODKERNELS_H
