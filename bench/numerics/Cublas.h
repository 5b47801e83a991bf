// The types, values and functions of cublas_v2.h which the bench uses, so that
// it builds without the header and runs without the library.
#ifndef ATTN_BENCH_NUMERICS_CUBLAS_H
#define ATTN_BENCH_NUMERICS_CUBLAS_H

namespace attn::bench {

using CublasStatus = int;
using CublasHandle = void *;
using CublasStream = void *;
using CublasOperation = int;
using CudaDataType = int;
using CublasComputeType = int;
using CublasAlgorithm = int;

constexpr CublasOperation kNoTranspose = 0, kTranspose = 1;
constexpr CudaDataType kCudaF32 = 0, kCudaF16 = 2, kCudaBF16 = 14;
/// f32 accumulation; pedantic: also f32 products, whatever the environment
/// says.
constexpr CublasComputeType kCompute32F = 68, kCompute32FPedantic = 69;
constexpr CublasAlgorithm kDefaultAlgorithm = -1;

/// One function pointer per line of Cublas.def; none is null.
struct CublasLibrary {
#define ATTN_CUBLAS_ENTRY(member, symbol, type, parameters)                    \
  type(*member) parameters;
#include "numerics/Cublas.def"
};

} // namespace attn::bench

#endif // ATTN_BENCH_NUMERICS_CUBLAS_H
