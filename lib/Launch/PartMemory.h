// The memory of kernels of shares (Tiling::shares): what these make of parts of
// query tiles, for the kernel that merges it.
#ifndef ATTN_LIB_LAUNCH_PARTMEMORY_H
#define ATTN_LIB_LAUNCH_PARTMEMORY_H

#include "attn/API/Attention.h"
#include "attn/Runtime/KernelImage.h"

namespace attn {

/// Whether a kernel does shares, or merges what they made.
bool hasShares(const KernelEntry &kernel);

struct PartMemory {
  int64_t shares, rows, channels;

  /// For so many shares of `kernel`.
  static PartMemory of(const KernelEntry &kernel, const KernelSpec &spec,
                       int64_t shares);

  int64_t bytes() const;
  /// `memory`: so many bytes, aligned to 16.
  void bind(Bindings &bindings, void *memory) const;
  /// Of the kernel that merges.
  int64_t mergeTasks() const;
};

/// Errors: a workspace that is there and too small, or not aligned.
Result<void> checkWorkspace(const Workspace &workspace,
                            const PartMemory &wanted);

} // namespace attn

#endif // ATTN_LIB_LAUNCH_PARTMEMORY_H
