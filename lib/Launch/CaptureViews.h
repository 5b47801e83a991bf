// What a launch must know of the captured values that it is given.
#ifndef ATTN_LIB_LAUNCH_CAPTUREVIEWS_H
#define ATTN_LIB_LAUNCH_CAPTUREVIEWS_H

#include "attn/API/Attention.h"
#include "attn/Runtime/Signature.h"

namespace attn {

/// A view's strides, one for each dimension. The innermost one is 1 where it
/// does not count, as there is but one element in that dimension.
std::vector<int64_t> stridesOf(const CaptureView &view);

/// Whether the innermost strides of all tensors are 1.
bool haveUnitStrides(const std::vector<CaptureView> &views);

/// What the capture with this number is to a kernel.
RoleName roleOf(const CaptureInfo &info, size_t number);

/// Binds captures by their roles.
void bindCaptures(Bindings &bindings, const std::vector<CaptureInfo> &infos,
                  const std::vector<CaptureView> &views);

/// Captured values against what the mod declares.
Result<void> checkCaptures(const std::vector<CaptureInfo> &expected,
                           const std::vector<CaptureView> &given);

/// Whether memory of type `given` is what a capture of type `wanted` reads.
bool binds(ElementType wanted, ElementType given);

} // namespace attn

#endif // ATTN_LIB_LAUNCH_CAPTUREVIEWS_H
