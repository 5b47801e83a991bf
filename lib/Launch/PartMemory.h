// The memory of kernels of shares or chunks (Tiling): what these make of parts
// of query tiles, for the kernel that merges it.
#ifndef ATTN_LIB_LAUNCH_PARTMEMORY_H
#define ATTN_LIB_LAUNCH_PARTMEMORY_H

#include "attn/API/Attention.h"
#include "attn/Runtime/KernelImage.h"

namespace attn {

/// Whether a kernel does parts of query tiles, or merges what they made.
bool hasParts(const KernelEntry &kernel);

struct PartMemory {
  int64_t tasks;  ///< of the kernel that does parts
  int64_t slots;  ///< for what it makes
  int64_t merged; ///< query tiles or shares that the other one looks at
  int64_t rows, channels;

  /// For so many shares of `kernel`.
  static PartMemory ofShares(const KernelEntry &kernel, const KernelSpec &spec,
                             int64_t shares);
  /// For all chunks of `kernel`, in a launch of these sizes or any of a range.
  static PartMemory ofChunks(const KernelEntry &kernel, const KernelSpec &spec,
                             const ProblemSizes &sizes);
  static PartMemory ofChunks(const KernelEntry &kernel, const KernelSpec &spec,
                             const SizeRange &range);

  /// The same for a launch of these sizes: of shares only those that may have
  /// something to do.
  PartMemory forLaunch(const KernelEntry &kernel,
                       const ProblemSizes &sizes) const;

  int64_t bytes() const;
  /// `memory`: so many bytes, aligned to 16.
  void bind(Bindings &bindings, void *memory) const;
  /// Of the kernel that merges, in a launch of these sizes.
  int64_t mergeTasks(const KernelEntry &kernel,
                     const ProblemSizes &sizes) const;
};

/// Errors: a workspace that is there and too small, or not aligned.
Result<void> checkWorkspace(const Workspace &workspace,
                            const PartMemory &wanted);

} // namespace attn

#endif // ATTN_LIB_LAUNCH_PARTMEMORY_H
