// A compiled kernel as bytes: what a launch needs and nothing else. Made
// without a device or a driver (attn-translate --attn-to-image), loaded without
// MLIR or LLVM; what a cache or an ahead-of-time build stores.
#ifndef ATTN_RUNTIME_KERNELIMAGE_H
#define ATTN_RUNTIME_KERNELIMAGE_H

#include "attn/Runtime/Signature.h"

#include <string>
#include <string_view>
#include <vector>

namespace attn {

/// One function of the code that can be launched.
struct KernelEntry {
  std::string name;
  Signature signature;
  int64_t threads = 0;     ///< of a GPU's block; 0: code for a CPU
  int64_t sharedBytes = 0; ///< dynamic shared memory of a block
  /// Of the schedule; 0: a kernel without tiles of its own.
  int64_t queryTile = 0, keyTile = 0;
  /// A tile of queries is of all heads that share keys: of (query, head) pairs.
  bool packsHeads = false;
  /// Visits that a task does at least of those of a query tile; 0: all, or even
  /// shares.
  int64_t chunk = 0;
  /// It may begin before the kernel ahead of it in its stream has ended, and
  /// waits for that itself: a programmatic dependent launch.
  bool isDependent = false;
  std::string schedule; ///< as text; may be empty
  /// Of a CPU: the function that counts the tasks, of which one is done by a
  /// call of this one.
  std::string taskCount;
  /// Of a cubin: what its assembler said of a thread. 0 registers: nothing.
  int64_t registers = 0, spilledBytes = 0;

  /// Whether its blocks stay and draw tasks.
  bool isPersistent() const { return takes(signature, Role::Counter); }
};

/// What the code of a CPU calls the entry of a function: it takes the addresses
/// of all arguments, and of the result if there is one, in one array.
inline std::string packedName(std::string_view function) {
  return "packed_" + std::string(function);
}

/// Text up to the code, so that it can be read:
///
///   attn-image 2
///   checksum 1f3b...          FNV-1a of all that follows, 64 bits
///   target sm_90a
///   features avx2 fma         of a CPU
///   kernel attention
///   task-count attention_tasks   of a CPU
///   threads 384
///   shared-bytes 198656
///   registers 168
///   spilled-bytes 16
///   tiles 128 128
///   packs-heads              if it does
///   chunk 16                 if there are any
///   dependent                if it is
///   schedule #attn.schedule<...>
///   parameter query memory 4
///   parameter capture 1 scalar
///   parameter tensor_map of query rows 128
///   code ptx 81234            bytes
///   ...
struct KernelImage {
  enum class Code {
    PTX,         ///< for the chip and those after it
    Cubin,       ///< for the chip
    SharedObject ///< for a CPU (ELF)
  };

  Code kind = Code::PTX;
  std::string target; ///< a chip or CPU, as LLVM names it
  /// What code for a CPU may use of it (CPUFeatures.h).
  std::vector<std::string> features;
  std::vector<KernelEntry> entries;
  std::string code;

  /// Null if there is no such entry.
  const KernelEntry *find(std::string_view name) const;

  /// The same bytes for equal images.
  std::string save() const;
  /// Errors: no image, one of another version, one that is not whole, and a
  /// line that means nothing.
  static Result<KernelImage> load(std::string_view bytes);
};

} // namespace attn

#endif // ATTN_RUNTIME_KERNELIMAGE_H
