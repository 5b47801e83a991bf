// How entry points of the C interface end: a status, and a text for the thread.
#ifndef ATTN_LIB_CAPI_STATUS_H
#define ATTN_LIB_CAPI_STATUS_H

#include "attn/API/Result.h"
#include "attn/attn.h"

#include <string>

namespace attn::capi {

/// The same status, once attn_error_text() is `text`.
attn_status fail(attn_status status, const std::string &text);

/// Of what the C++ API returned.
template <typename T> attn_status statusOf(const Result<T> &result) {
  return result ? ATTN_OK : fail(ATTN_ERROR, result.error());
}

/// That something is there. Errors: "expects 'NAME', got NULL".
Result<void> expect(const void *given, const char *name);

} // namespace attn::capi

/// Ends an entry point with ATTN_INVALID_CALL if `expression`, a `Result` of
/// what it was called with, is an error.
#define ATTN_EXPECT(expression)                                                \
  do {                                                                         \
    if (const auto &attnRead = (expression); !attnRead)                        \
      return ::attn::capi::fail(ATTN_INVALID_CALL, attnRead.error());          \
  } while (false)

#endif // ATTN_LIB_CAPI_STATUS_H
