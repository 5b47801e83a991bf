// Which compiler this process has. A version says too little: two builds of
// one commit differ where it was changed, by options, and by the LLVM they met.
#ifndef ATTN_CACHE_BUILDID_H
#define ATTN_CACHE_BUILDID_H

#include <string>

namespace attn::cache {

/// Names the files which hold this project's, MLIR's and LLVM's code in this
/// process by their contents: by the build id that a linker wrote, or by a
/// digest of a file without one. Found once. Empty: a file cannot be read, so
/// that nothing may be kept.
const std::string &buildId();

/// Of the file that holds the code or data at `address`, one of the two.
/// Empty: there is no such file.
std::string buildIdAt(const void *address);

} // namespace attn::cache

#endif // ATTN_CACHE_BUILDID_H
