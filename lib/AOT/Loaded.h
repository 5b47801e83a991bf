// The kernels of generated objects that are loaded, by device.
#ifndef ATTN_LIB_AOT_LOADED_H
#define ATTN_LIB_AOT_LOADED_H

#include "../Launch/PackageImpl.h"

#include "attn/AOT/Runtime.h"

#include <memory>
#include <string>

namespace attn::aot {

/// Why a call did not do what it was asked for: what it returns, and the text
/// behind it.
struct Failure {
  int code = ATTN_AOT_OK;
  std::string text;
};

/// Those of one device.
struct LoadedKernels {
  std::shared_ptr<const AttentionKernel::Impl> forward;
  std::shared_ptr<const GradientKernel::Impl> backward; ///< null without
};

Failure load(attn_aot_kernels &kernels, int device);
void unload(attn_aot_kernels &kernels);
/// Null: not loaded for the device.
std::shared_ptr<const LoadedKernels> find(const attn_aot_kernels &kernels,
                                          int64_t device);

} // namespace attn::aot

#endif // ATTN_LIB_AOT_LOADED_H
