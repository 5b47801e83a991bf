// Reading and writing files as a whole, at the places that users name: through
// symbolic links, and to what is no regular file.
#ifndef ATTN_BENCH_SUPPORT_TEXTFILE_H
#define ATTN_BENCH_SUPPORT_TEXTFILE_H

#include "attn/API/Result.h"

#include <string>

namespace attn::bench {

/// What a path leads to.
struct Destination {
  std::string path; ///< no symbolic link
  /// Or not there yet. Else a pipe, a device, a folder: to be written to as it
  /// is, and not to be replaced.
  bool isRegular = true;
  bool exists = false;
  /// Of this process, where the path means that (/dev/stdout); else -1.
  int descriptor = -1;
};

/// Follows symbolic links, also those to what is not there yet. Errors: a
/// circle of links; a folder on the way that cannot be searched.
Result<Destination> destinationOf(const std::string &path);

/// Whether the file could be written, without changing it. Errors name it.
Result<void> checkWritable(const std::string &path);

/// Writes a file as a whole: who reads it sees the old text or the new one. It
/// keeps its permissions, its owner and its other names. What is no regular
/// file gets the text.
Result<void> writeFile(const std::string &path, const std::string &text);

/// Reads a file as a whole.
Result<std::string> readFile(const std::string &path);

/// Opens what is no regular file for writing.
Result<int> openStream(const Destination &);

/// `cannot WHAT 'path': ` and what errno says.
Error fileError(const char *what, const std::string &path);

} // namespace attn::bench

#endif // ATTN_BENCH_SUPPORT_TEXTFILE_H
