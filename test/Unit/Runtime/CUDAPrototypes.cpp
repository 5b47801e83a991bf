// Compiled only where cuda.h is installed: every line of CUDADriver.def and
// every constant, written by hand, must be what NVIDIA's header declares.
#include "attn/Runtime/CUDADriver.h"

#include <cuda.h>

#include <cstddef>
#include <type_traits>

namespace prototypes {
using Status = CUresult;
using Device = CUdevice;
using DevicePointer = CUdeviceptr;
using Context = CUcontext;
using ModuleHandle = CUmodule;
using Function = CUfunction;
using Stream = CUstream;
using Event = CUevent;
using IpcHandle = CUipcMemHandle;
using DeviceAttribute = CUdevice_attribute;
using FunctionAttribute = CUfunction_attribute;
using PointerAttribute = CUpointer_attribute;
using JitOption = CUjit_option;
using TensorMap = CUtensorMap;
using TensorMapSize = cuuint64_t;
using TensorMapDataType = CUtensorMapDataType;
using TensorMapInterleave = CUtensorMapInterleave;
using TensorMapSwizzle = CUtensorMapSwizzle;
using TensorMapL2Promotion = CUtensorMapL2promotion;
using TensorMapFill = CUtensorMapFloatOOBfill;
using CaptureStatus = CUstreamCaptureStatus;
using LaunchConfig = CUlaunchConfig;

#define ATTN_CUDA_ENTRY(member, symbol, parameters)                            \
  static_assert(                                                               \
      std::is_same_v<decltype(&::symbol), Status(CUDAAPI *) parameters>,       \
      #symbol);
#include "attn/Runtime/CUDADriver.def"
} // namespace prototypes

namespace attn::cuda {
static_assert(sizeof(CUresult) == sizeof(Status));
static_assert(sizeof(CUipcMemHandle) == sizeof(IpcHandle));
static_assert(std::is_same_v<CUdevice, Device>);
static_assert(std::is_same_v<CUdeviceptr, DevicePointer>);
static_assert(kSuccess == CUDA_SUCCESS);
static_assert(kOutOfMemory == CUDA_ERROR_OUT_OF_MEMORY);
static_assert(kMultiprocessorCount == CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
static_assert(kMemoryClock == CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE);
static_assert(kL2CacheSize == CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
static_assert(kComputeCapabilityMajor ==
              CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
static_assert(kComputeCapabilityMinor ==
              CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
static_assert(kMaxSharedPerBlockOptin ==
              CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
static_assert(kMaxThreadsPerBlock == CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
static_assert(kSharedBytes == CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES);
static_assert(kLocalBytes == CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES);
static_assert(kRegisters == CU_FUNC_ATTRIBUTE_NUM_REGS);
static_assert(kMaxDynamicSharedBytes ==
              CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
static_assert(kMemoryType == CU_POINTER_ATTRIBUTE_MEMORY_TYPE);
static_assert(kIsManaged == CU_POINTER_ATTRIBUTE_IS_MANAGED);
static_assert(kDeviceOrdinal == CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL);
static_assert(kMemoryTypeHost == CU_MEMORYTYPE_HOST);
static_assert(kMemoryTypeDevice == CU_MEMORYTYPE_DEVICE);
static_assert(kJitInfoLog == CU_JIT_INFO_LOG_BUFFER);
static_assert(kJitInfoLogBytes == CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES);
static_assert(kJitErrorLog == CU_JIT_ERROR_LOG_BUFFER);
static_assert(kJitErrorLogBytes == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
static_assert(kJitLogVerbose == CU_JIT_LOG_VERBOSE);
static_assert(sizeof(LaunchAttribute) == sizeof(CUlaunchAttribute));
static_assert(offsetof(LaunchAttribute, value) ==
              offsetof(CUlaunchAttribute, value));
static_assert(kProgrammaticStreamSerialization ==
              CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION);
static_assert(sizeof(LaunchConfig) == sizeof(CUlaunchConfig));
static_assert(offsetof(LaunchConfig, block) ==
              offsetof(CUlaunchConfig, blockDimX));
static_assert(offsetof(LaunchConfig, sharedBytes) ==
              offsetof(CUlaunchConfig, sharedMemBytes));
static_assert(offsetof(LaunchConfig, stream) ==
              offsetof(CUlaunchConfig, hStream));
static_assert(offsetof(LaunchConfig, attributes) ==
              offsetof(CUlaunchConfig, attrs));
static_assert(offsetof(LaunchConfig, attributeCount) ==
              offsetof(CUlaunchConfig, numAttrs));
static_assert(sizeof(TensorMap) == sizeof(CUtensorMap));
static_assert(alignof(TensorMap) >= alignof(CUtensorMap));
static_assert(sizeof(TensorMapSize) == sizeof(cuuint64_t));
static_assert(kTensorMapF16 == CU_TENSOR_MAP_DATA_TYPE_FLOAT16);
static_assert(kTensorMapBF16 == CU_TENSOR_MAP_DATA_TYPE_BFLOAT16);
static_assert(kTensorMapNoInterleave == CU_TENSOR_MAP_INTERLEAVE_NONE);
static_assert(kTensorMapSwizzle128 == CU_TENSOR_MAP_SWIZZLE_128B);
static_assert(kTensorMapL2Promotion256 == CU_TENSOR_MAP_L2_PROMOTION_L2_256B);
static_assert(kTensorMapFillZero == CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
static_assert(kStreamNonBlocking == CU_STREAM_NON_BLOCKING);
} // namespace attn::cuda
