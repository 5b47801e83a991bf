// Machine code from memory into this process, by the system's loader.
#ifndef ATTN_RUNTIME_LOADEDOBJECT_H
#define ATTN_RUNTIME_LOADEDOBJECT_H

#include "attn/API/Result.h"

#include <memory>
#include <string>

namespace attn {

/// A shared object (ELF), which stays as long as this lives.
class LoadedObject {
public:
  /// From a file that has no name (memfd_create); where that is not possible,
  /// through a temporary one. Errors: what the loader says, such as a library
  /// that is missing.
  static Result<std::shared_ptr<const LoadedObject>>
  load(const std::string &code);
  /// The latter, in $TMPDIR or /tmp. Errors besides: no file can be written.
  static Result<std::shared_ptr<const LoadedObject>>
  loadThroughFile(const std::string &code);

  ~LoadedObject();
  LoadedObject(const LoadedObject &) = delete;
  LoadedObject &operator=(const LoadedObject &) = delete;

  /// Null if there is no such symbol.
  void *find(const std::string &symbol) const;

private:
  explicit LoadedObject(void *handle) : handle(handle) {}

  void *handle;
};

} // namespace attn

#endif // ATTN_RUNTIME_LOADEDOBJECT_H
