// See Status.h.
#include "Status.h"

using namespace attn;

static std::string &textOfThread() {
  thread_local std::string text;
  return text;
}

attn_status capi::fail(attn_status status, const std::string &text) {
  textOfThread() = text;
  return status;
}

Result<void> capi::expect(const void *given, const char *name) {
  if (given)
    return {};
  return Error{std::string("expects '") + name + "', got NULL"};
}

const char *attn_error_text(void) { return textOfThread().c_str(); }

// Not AttnVersion's: with the commit in it, the library would be linked again
// after each.
const char *attn_version(void) { return ATTN_VERSION; }

int32_t attn_abi_version(void) { return ATTN_ABI_VERSION; }
