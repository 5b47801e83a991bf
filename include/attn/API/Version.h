// What a build is: for reports, and for --version.
#ifndef ATTN_API_VERSION_H
#define ATTN_API_VERSION_H

#include <string>

namespace attn {

/// "0.1.0".
const char *version();
/// The commit that was built, with "-dirty" if it was changed since; "unknown"
/// outside of a repository.
const char *commit();
/// Of LLVM and MLIR: "22.1.0".
const char *llvmVersion();

/// `attn-opt 0.1.0 (commit 0123456789ab, LLVM 22.1.0)`.
std::string versionText(const std::string &tool);

} // namespace attn

#endif // ATTN_API_VERSION_H
