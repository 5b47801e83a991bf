// Timing of work on a CUDA stream, apart from the device so that the device
// stays a list of small calls. bench/worker/timing.py does the same in the
// PyTorch worker, call by call: the two must agree
// (test/Inputs/turn-on-a-gpu.txt).
#ifndef ATTN_BENCH_MEASURE_CUDASAMPLES_H
#define ATTN_BENCH_MEASURE_CUDASAMPLES_H

#include "measure/Timing.h"

#include "attn/Runtime/CUDADriver.h"

#include <functional>

namespace attn::bench {

/// What a turn enqueues.
struct TurnSteps {
  std::function<Result<void>(double seconds)> wait; ///< of the GPU
  std::function<Result<void>()> flush;              ///< null: the cache is hot
  std::function<Result<void>()> work;
};

/// One turn: warms up, then samples the work until the options say stop. Each
/// sample is flush, event, work, event; its seconds are those between the
/// events. Samples come in batches, before each of which the GPU waits for as
/// long as the duty says. Launches are timed by the host's clock, each on an
/// idle GPU after a flush.
/// Errors: of the steps, of the GPU while it runs the work.
Result<Turn> takeCUDASamples(const cuda::Driver &cu, cuda::Stream queue,
                             const TurnSteps &steps,
                             const TurnOptions &options);

} // namespace attn::bench

#endif // ATTN_BENCH_MEASURE_CUDASAMPLES_H
