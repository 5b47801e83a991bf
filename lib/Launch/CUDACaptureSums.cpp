// See CUDACaptureSums.h.
#include "CUDACaptureSums.h"

#include "attn/Support/Try.h"

using namespace attn;

Result<void> CUDACaptureSums::bind(size_t i, Bindings &bindings, void *stream,
                                   std::vector<BoundParameters> &all) const {
  for (const cuda::LoadedKernel *kernel :
       {&kernels[i].slots, &kernels[i].sum}) {
    ATTN_TRY_ASSIGN(BoundParameters bound, kernel->bind(bindings, stream));
    all.push_back(std::move(bound));
  }
  return {};
}

Result<void> CUDACaptureSums::launch(const CaptureWorkspace &workspace,
                                     const std::vector<BoundParameters> &bound,
                                     void *stream) const {
  for (size_t i = 0; i < kernels.size(); ++i) {
    int64_t elements = workspace.elements(i);
    if (elements == 0)
      continue;
    const cuda::LoadedKernel &sum = kernels[i].sum;
    ATTN_TRY(kernels[i].slots.launch(workspace.tasks(i), bound[2 * i], stream));
    // One slot is the gradient itself.
    if (workspace.isDirect(i))
      continue;
    // A thread for each element.
    int64_t threads = sum.entry().threads;
    ATTN_TRY(sum.launch((elements + threads - 1) / threads, bound[2 * i + 1],
                        stream));
  }
  return {};
}
