// The only file that is compiled again when the commit changes.
#include "attn/API/Version.h"

#include "attn/Commit.h"

#include "llvm/Config/llvm-config.h"

const char *attn::version() { return ATTN_VERSION; }

const char *attn::commit() { return ATTN_COMMIT; }

const char *attn::llvmVersion() { return LLVM_VERSION_STRING; }

std::string attn::versionText(const std::string &tool) {
  return tool + " " + version() + " (commit " + commit() + ", LLVM " +
         llvmVersion() + ")";
}
