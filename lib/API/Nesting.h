// What MLIR's parser, which calls itself for each bracket, can be given.
#ifndef ATTN_LIB_API_NESTING_H
#define ATTN_LIB_API_NESTING_H

#include "attn/API/Result.h"

#include <string>
#include <string_view>

namespace attn {

/// Errors, as `NAME:line:col: error:`: brackets that are nested so deep that a
/// thread's stack might not do.
Result<void> checkNesting(std::string_view text, const std::string &name);

} // namespace attn

#endif // ATTN_LIB_API_NESTING_H
