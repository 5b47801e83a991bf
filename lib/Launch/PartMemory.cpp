// See PartMemory.h.
#include "PartMemory.h"

#include "attn/Conversion/Shares.h"

using namespace attn;

bool attn::hasShares(const KernelEntry &kernel) {
  return takes(kernel.signature, Role::PartialOut);
}

PartMemory PartMemory::of(const KernelEntry &kernel, const KernelSpec &spec,
                          int64_t shares) {
  int64_t channels = (spec.valueDim + 15) / 16 * 16;
  return {shares, kernel.queryTile, channels};
}

int64_t PartMemory::bytes() const {
  return 2 * shares * rows * (channels + 2) *
         static_cast<int64_t>(sizeof(float));
}

void PartMemory::bind(Bindings &bindings, void *memory) const {
  auto *out = static_cast<float *>(memory);
  bindings.memory({Role::PartialOut}, out, {2 * shares, rows, channels});
  bindings.memory({Role::PartialSums}, out + 2 * shares * rows * channels,
                  {2 * shares, 2, rows});
}

int64_t PartMemory::mergeTasks() const {
  return shares * rows * channels / mlir::attn::mergedChannels;
}

Result<void> attn::checkWorkspace(const Workspace &workspace,
                                  const PartMemory &wanted) {
  if (!workspace.data)
    return {};
  if (workspace.bytes < wanted.bytes())
    return Error{"expects a workspace of at least " +
                 std::to_string(wanted.bytes()) + " bytes, got " +
                 std::to_string(workspace.bytes)};
  if (reinterpret_cast<uintptr_t>(workspace.data) % 16)
    return Error{"expects a workspace aligned to 16 bytes"};
  return {};
}
