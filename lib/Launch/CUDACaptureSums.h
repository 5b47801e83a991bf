// The kernels that make the gradients of captures on a GPU, behind those of
// queries, keys and values: for each sum one that adds pairs, or what rows have
// summed, to slots, and one that sums the slots
// (attn/Conversion/CaptureSums.h).
#ifndef ATTN_LIB_LAUNCH_CUDACAPTURESUMS_H
#define ATTN_LIB_LAUNCH_CUDACAPTURESUMS_H

#include "CaptureGradients.h"

#include "attn/Runtime/LoadedKernel.h"

namespace attn {

class CUDACaptureSums {
public:
  /// Adds the kernels of the next sum.
  void add(cuda::LoadedKernel slots, cuda::LoadedKernel sum) {
    kernels.push_back({std::move(slots), std::move(sum)});
  }

  size_t count() const { return kernels.size(); }
  const KernelEntry &entryOfSlots(size_t i) const {
    return kernels[i].slots.entry();
  }

  /// Fills the parameters of the kernels of sum `i`, which are appended.
  /// Errors: those of LoadedKernel::bind().
  Result<void> bind(size_t i, Bindings &bindings, void *stream,
                    std::vector<BoundParameters> &all) const;

  /// Launches all, with what bind() made of each sum in turn.
  Result<void> launch(const CaptureWorkspace &workspace,
                      const std::vector<BoundParameters> &bound,
                      void *stream) const;

private:
  struct Kernels {
    cuda::LoadedKernel slots, sum;
  };
  std::vector<Kernels> kernels;
};

} // namespace attn

#endif // ATTN_LIB_LAUNCH_CUDACAPTURESUMS_H
