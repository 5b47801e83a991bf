// What kernels on NVIDIA GPUs ask before they are chosen or launched.
#ifndef ATTN_LIB_LAUNCH_CUDALAUNCH_H
#define ATTN_LIB_LAUNCH_CUDALAUNCH_H

#include "ScheduleNeeds.h"

#include "attn/API/Attention.h"
#include "attn/Runtime/CUDADriver.h"
#include "attn/Runtime/Guard.h"

namespace attn {

/// Whether every row starts at a multiple of 16 bytes.
bool isAligned(const TensorView &view);

/// `spec` with what its dimensions say of alignment.
KernelSpec withAlignment(const KernelSpec &spec);

/// The context that a spec asks for; null: the current one.
Result<cuda::Context> contextOf(const KernelSpec &spec);

/// Whether this GPU and its driver run code for sm_90a (PTX 8.6: CUDA 12.7).
Result<bool> runsSM90a(cuda::Device device);

/// The target of attn-select-schedule for `spec`. `given`: of a schedule that
/// is given; null: none is. Errors: a schedule that this GPU cannot run.
Result<const char *> planTargetOf(const KernelSpec &spec,
                                  std::optional<ScheduleNeeds> given,
                                  cuda::Device device);

/// The memory that `spec` says launches have.
Result<LaunchMemory> expectedMemory(const KernelSpec &spec,
                                    cuda::Device device);

/// The target of the pipeline that makes the kernel of this guard.
const char *targetOf(const Guard &guard);

/// Whether what is enqueued now becomes a graph.
Result<bool> isCapturing(void *stream);

/// Copies memory to the host, and waits for it. Errors: the stream is being
/// captured.
Result<void> copyFromGPU(cuda::Context context, void *to, const void *from,
                         int64_t bytes, void *stream);

/// Enqueues zeros for all elements of `view`.
Result<void> enqueueZeros(const TensorView &view, void *stream);

} // namespace attn

#endif // ATTN_LIB_LAUNCH_CUDALAUNCH_H
