// What goes through a program or library that knows files only.
#ifndef ATTN_LIB_TARGET_TEMPORARYFILE_H
#define ATTN_LIB_TARGET_TEMPORARYFILE_H

#include "mlir/Support/LLVM.h"

#include "llvm/Support/Error.h"

#include <string>
#include <utility>

namespace mlir::attn {

/// A file that goes with this object.
class TemporaryFile {
public:
  /// Empty, of a new name with that suffix. Errors: none can be made.
  static llvm::Expected<TemporaryFile> create(StringRef suffix);

  TemporaryFile(TemporaryFile &&other) : path(std::exchange(other.path, {})) {}
  ~TemporaryFile();

  const std::string &getPath() const { return path; }
  /// Errors: the file cannot be written.
  llvm::Error write(StringRef bytes) const;
  /// Errors: it cannot be read.
  llvm::Expected<std::string> read() const;

private:
  explicit TemporaryFile(StringRef path) : path(path) {}

  std::string path; ///< empty: moved away
};

} // namespace mlir::attn

#endif // ATTN_LIB_TARGET_TEMPORARYFILE_H
