// Timing of work on a CUDA stream, apart from the device so that the device
// stays a list of small calls.
#ifndef ATTN_BENCH_CUDASAMPLES_H
#define ATTN_BENCH_CUDASAMPLES_H

#include "Device.h"

#include "attn/Runtime/CUDADriver.h"

namespace attn::bench {

/// One turn: warms up, then samples `work` until the options say stop. Each
/// sample is `flush` (unless null), event, `work`, event; its seconds are those
/// between the events. Launches are timed by the host's clock, each on an idle
/// GPU after a `flush`.
/// Errors: of `flush`, of `work`, of the GPU while it runs the work.
Result<Turn> takeCUDASamples(const cuda::Driver &cu, cuda::Stream queue,
                             const std::function<Result<void>()> &flush,
                             const std::function<Result<void>()> &work,
                             const TurnOptions &options);

} // namespace attn::bench

#endif // ATTN_BENCH_CUDASAMPLES_H
