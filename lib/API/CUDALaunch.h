// What kernels on NVIDIA GPUs ask before they are chosen or launched.
#ifndef ATTN_LIB_API_CUDALAUNCH_H
#define ATTN_LIB_API_CUDALAUNCH_H

#include "attn/API/Attention.h"
#include "attn/Runtime/CUDADriver.h"

namespace attn {

/// Whether every row starts at a multiple of 16 bytes.
bool isAligned(const TensorView &view);

/// `spec` with what its dimensions say of alignment.
KernelSpec withAlignment(const KernelSpec &spec);

/// The context that a spec asks for; null: the current one.
Result<cuda::Context> contextOf(const KernelSpec &spec);

/// Whether this GPU and its driver run code for sm_90a (PTX 8.6: CUDA 12.7).
Result<bool> runsSM90a(cuda::Device device);

/// Whether kernels for sm_90a are the best for `spec`. `producers`: whether a
/// given schedule has any; null: none is given. Errors: a schedule that this
/// GPU cannot run.
Result<bool> choosesSM90a(const KernelSpec &spec, std::optional<bool> producers,
                          cuda::Device device);

/// Whether what is enqueued now becomes a graph.
Result<bool> isCapturing(void *stream);

/// Enqueues zeros for all elements of `view`.
Result<void> enqueueZeros(const TensorView &view, void *stream);

} // namespace attn

#endif // ATTN_LIB_API_CUDALAUNCH_H
