// Timing of work on a CUDA stream, apart from the device so that the device
// stays a list of small calls.
#ifndef ATTN_BENCH_CUDASAMPLES_H
#define ATTN_BENCH_CUDASAMPLES_H

#include "Device.h"

#include "attn/Runtime/CUDADriver.h"

namespace attn::bench {

/// Warms up, then samples `work` until the options say stop: each sample is
/// `flush`, event, `work`, event; the seconds are those between the events.
/// Errors: of `flush`, of `work`, of the GPU while it runs the work.
Result<Timing> takeCUDASamples(const cuda::Driver &cu, cuda::Stream queue,
                               const std::function<Result<void>()> &flush,
                               const std::function<Result<void>()> &work,
                               const TimingOptions &options);

} // namespace attn::bench

#endif // ATTN_BENCH_CUDASAMPLES_H
