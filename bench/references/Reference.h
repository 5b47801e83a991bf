// The result that every backend is compared with, from the same inputs.
#ifndef ATTN_BENCH_REFERENCES_REFERENCE_H
#define ATTN_BENCH_REFERENCES_REFERENCE_H

#include "cases/Problem.h"
#include "devices/Device.h"

namespace attn::bench {

/// CPU: GEMMs and softmax in f64. CUDA: f32 GEMMs without tf32, f32 softmax.
/// Writes contiguous (batch, heads, queries, valueDim) to host memory.
Result<std::vector<float>> referenceCPU(Device &, const Problem &);
Result<std::vector<float>> referenceCUDA(Device &, const Problem &);

} // namespace attn::bench

#endif // ATTN_BENCH_REFERENCES_REFERENCE_H
