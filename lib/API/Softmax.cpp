// Softmax of materialised scores: what is common to all targets.
#include "SoftmaxImpl.h"

#include "attn/Support/Try.h"

using namespace attn;

Result<SoftmaxKernel> SoftmaxKernel::compile(const Mod &mod, Target target,
                                             ElementType scoreType,
                                             ElementType probabilityType) {
  if (scoreType != ElementType::F32 && scoreType != ElementType::F64)
    return Error{std::string("expects scores of f32 or f64, got ") +
                 toString(scoreType)};
  if (probabilityType == ElementType::I32)
    return Error{"expects probabilities of a floating-point type, got i32"};
  SoftmaxImpl impl = target == Target::CPU
                         ? createCPUSoftmax(mod, scoreType, probabilityType)
                         : createCUDASoftmax(mod, scoreType, probabilityType);
  ATTN_TRY(impl);
  SoftmaxKernel kernel;
  kernel.pimpl = *impl;
  return kernel;
}

Result<void> SoftmaxKernel::run(const void *scores, void *probabilities,
                                void *lse, int64_t first, int64_t count,
                                int64_t heads, int64_t queries, int64_t keys,
                                double scale,
                                const std::vector<CaptureView> &captures,
                                void *stream) const {
  if (heads < 1)
    return Error{"expects at least one head, got " + std::to_string(heads)};
  return pimpl->run(scores, probabilities, lse, first, count, heads, queries,
                    keys, scale, captures, stream);
}
