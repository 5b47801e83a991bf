// What the softmax kernels of all targets have in common.
#ifndef ATTN_LIB_API_SOFTMAXIMPL_H
#define ATTN_LIB_API_SOFTMAXIMPL_H

#include "attn/API/Attention.h"

namespace attn {

struct SoftmaxKernel::Impl {
  virtual ~Impl() = default;
  virtual Result<void> run(const void *scores, void *probabilities, void *lse,
                           int64_t first, int64_t count, int64_t heads,
                           int64_t queries, int64_t keys, double scale,
                           const std::vector<CaptureView> &captures,
                           void *stream) const = 0;
};

using SoftmaxImpl = Result<std::shared_ptr<SoftmaxKernel::Impl>>;

SoftmaxImpl createCPUSoftmax(const Mod &mod, ElementType scoreType,
                             ElementType probabilityType);
SoftmaxImpl createCUDASoftmax(const Mod &mod, ElementType scoreType,
                              ElementType probabilityType);

} // namespace attn

#endif // ATTN_LIB_API_SOFTMAXIMPL_H
