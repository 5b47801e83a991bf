// Compiled only where cublas_v2.h is installed: what bench/numerics/Cublas.h
// declares by hand must be what NVIDIA's header declares.
#include "numerics/Cublas.h"

#include <cublas_v2.h>

namespace prototypes {
using CublasStatus = cublasStatus_t;
using CublasHandle = cublasHandle_t;
using CublasStream = cudaStream_t;
using CublasOperation = cublasOperation_t;
using CudaDataType = cudaDataType;
using CublasComputeType = cublasComputeType_t;
using CublasAlgorithm = cublasGemmAlgo_t;

// The header overloads some of them: an exact match must exist.
#define ATTN_CUBLAS_ENTRY(member, symbol, type, parameters)                    \
  static_assert(sizeof(static_cast<type(CUBLASWINAPI *) parameters>(           \
                    &::symbol)) == sizeof(void *),                             \
                #symbol);
#include "numerics/Cublas.def"
} // namespace prototypes

namespace attn::bench {
static_assert(sizeof(CublasStatus) == sizeof(cublasStatus_t));
static_assert(sizeof(CublasComputeType) == sizeof(cublasComputeType_t));
static_assert(kNoTranspose == CUBLAS_OP_N && kTranspose == CUBLAS_OP_T);
static_assert(kCudaF32 == CUDA_R_32F && kCudaF16 == CUDA_R_16F);
static_assert(kCudaBF16 == CUDA_R_16BF);
static_assert(kCompute32F == CUBLAS_COMPUTE_32F);
static_assert(kCompute32FPedantic == CUBLAS_COMPUTE_32F_PEDANTIC);
static_assert(kDefaultAlgorithm == CUBLAS_GEMM_DEFAULT);
static_assert(CUBLAS_STATUS_SUCCESS == 0);
} // namespace attn::bench
