// What runs of kernels are given, as the C++ API has it.
#ifndef ATTN_LIB_CAPI_ARGUMENTS_H
#define ATTN_LIB_CAPI_ARGUMENTS_H

#include "Values.h"

#include "attn/API/Gradient.h"

namespace attn::capi {

/// Of a kernel of a mod with these captures.
Result<AttentionArguments>
argumentsOf(const attn_arguments *given,
            const std::vector<CaptureInfo> &captures);
/// `wrt`: how many gradients of captures there are.
Result<GradientArguments> argumentsOf(const attn_gradient_arguments *given,
                                      const std::vector<CaptureInfo> &captures,
                                      size_t wrt);

/// `count` names, none of them NULL. More than `most` cannot all be others.
Result<std::vector<std::string>> namesOf(const char *const *names, size_t count,
                                         size_t most);

} // namespace attn::capi

#endif // ATTN_LIB_CAPI_ARGUMENTS_H
