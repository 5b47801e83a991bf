// The CUDA driver API, loaded when it is first asked for, so that one binary
// works with a GPU and on machines that have no driver and no toolkit. Needs no
// CUDA header: the few types are declared here (test/Unit/Runtime compares
// every prototype with cuda.h where that is installed).
//
// Above the bare table stand the few steps which every user needs: a current
// context, a module from PTX with the JIT's log, a checked launch.
#ifndef ATTN_RUNTIME_CUDADRIVER_H
#define ATTN_RUNTIME_CUDADRIVER_H

#include "attn/API/Result.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace attn::cuda {

// The types of cuda.h under names of our own: handles are opaque pointers,
// enumerations are int.
using Status = int;
using Device = int;
using DevicePointer = unsigned long long;
using Context = struct OpaqueContext *;
using ModuleHandle = struct OpaqueModule *;
using Function = struct OpaqueFunction *;
using Stream = struct OpaqueStream *;
/// CU_STREAM_PER_THREAD: a stream of its own in each thread.
inline void *const kStreamPerThread = reinterpret_cast<void *>(uintptr_t(2));
using Event = struct OpaqueEvent *;
/// What another process opens an allocation by.
struct IpcHandle {
  unsigned char bytes[64];
};
/// As the driver has them: CUlaunchAttribute, CUlaunchConfig.
struct alignas(8) LaunchAttribute {
  unsigned id;
  alignas(8) unsigned value[16];
};
constexpr unsigned kProgrammaticStreamSerialization = 6;
struct LaunchConfig {
  unsigned grid[3];
  unsigned block[3];
  unsigned sharedBytes;
  Stream stream;
  LaunchAttribute *attributes;
  unsigned attributeCount;
};
using DeviceAttribute = int;
using FunctionAttribute = int;
using PointerAttribute = int;
using JitOption = int;
using CaptureStatus = int;
using TensorMapSize = unsigned long;
using TensorMapDataType = int;
using TensorMapInterleave = int;
using TensorMapSwizzle = int;
using TensorMapL2Promotion = int;
using TensorMapFill = int;

/// How TMA finds its way through a tensor: a kernel parameter.
struct alignas(128) TensorMap {
  unsigned long opaque[16];
};

// Values of cuda.h's enumerations, as far as they are used.
constexpr Status kSuccess = 0;
constexpr Status kOutOfMemory = 2;
constexpr DeviceAttribute kMultiprocessorCount = 16;
constexpr DeviceAttribute kMemoryClock = 36;
constexpr DeviceAttribute kL2CacheSize = 38;
constexpr DeviceAttribute kComputeCapabilityMajor = 75;
constexpr DeviceAttribute kComputeCapabilityMinor = 76;
constexpr DeviceAttribute kMaxSharedPerBlockOptin = 97;
constexpr FunctionAttribute kMaxThreadsPerBlock = 0;
constexpr FunctionAttribute kSharedBytes = 1;
constexpr FunctionAttribute kLocalBytes = 3;
constexpr FunctionAttribute kRegisters = 4;
constexpr FunctionAttribute kMaxDynamicSharedBytes = 8;
constexpr PointerAttribute kMemoryType = 2;
constexpr PointerAttribute kIsManaged = 8;
constexpr PointerAttribute kDeviceOrdinal = 9;
constexpr unsigned kMemoryTypeHost = 1;
constexpr unsigned kMemoryTypeDevice = 2;
constexpr JitOption kJitInfoLog = 3;
constexpr JitOption kJitInfoLogBytes = 4;
constexpr JitOption kJitErrorLog = 5;
constexpr JitOption kJitErrorLogBytes = 6;
constexpr JitOption kJitLogVerbose = 12;
constexpr unsigned kStreamNonBlocking = 1;
constexpr TensorMapDataType kTensorMapF16 = 6;
constexpr TensorMapDataType kTensorMapBF16 = 9;
constexpr TensorMapInterleave kTensorMapNoInterleave = 0;
constexpr TensorMapSwizzle kTensorMapSwizzle128 = 3;
constexpr TensorMapL2Promotion kTensorMapL2Promotion256 = 3;
constexpr TensorMapFill kTensorMapFillZero = 0;

/// One function pointer per line of CUDADriver.def; none is null.
struct Driver {
#define ATTN_CUDA_ENTRY(member, symbol, parameters) Status(*member) parameters;
#include "attn/Runtime/CUDADriver.def"

  /// Success, or "CALL: what the driver says (NAME_OF_THE_ERROR)".
  Result<void> check(Status status, const char *call) const;
};

/// The driver, loaded and initialised once per process. Errors, the same ones
/// on every call: no libcuda.so.1 on this machine, a driver too old to export
/// what attn needs, no GPU.
Result<const Driver *> driver();

/// The device of this thread's current context. Errors: as driver(); there is
/// no current context, and which GPU is meant is not for us to guess.
Result<Device> currentDevice();

/// The primary context of a GPU, the one that cuBLAS, cuDNN and PyTorch use. It
/// is retained once and for all. Errors: as driver(); no GPU of this number.
Result<Context> primaryContext(int ordinal);

/// Makes primaryContext() current on this thread. Errors: the same.
Result<void> useDevice(int ordinal);

/// Makes a context current on this thread while it lives; null: leaves the one
/// that is. Costs two calls where it is another one than before, else one.
class ContextScope {
public:
  explicit ContextScope(Context context);
  ~ContextScope();
  ContextScope(const ContextScope &) = delete;
  ContextScope &operator=(const ContextScope &) = delete;

private:
  Context before = nullptr;
  bool changed = false;
};
/// Null without one.
Context currentContext();

/// What the choice of a kernel and the report of a measurement depend on.
struct DeviceInfo {
  std::string name;
  int64_t memoryBytes = 0;
  int computeMajor = 0, computeMinor = 0;
  int multiprocessors = 0;
  int64_t l2Bytes = 0;
  int memoryKHz = 0;
  /// The most dynamic shared memory that one block can ask for.
  int64_t maxSharedBytes = 0;
  /// The CUDA version up to which the driver goes, as 1000 * major + 10 *
  /// minor.
  int driverVersion = 0;
};
Result<DeviceInfo> deviceInfo(Device device);

/// What the JIT made of one kernel. `localBytes` per thread: spills and stack.
struct FunctionInfo {
  int registers = 0;
  int localBytes = 0;
  int staticSharedBytes = 0;
  int maxThreads = 0;
};
Result<FunctionInfo> functionInfo(Function function);

/// Lets launches of `function` ask for `bytes` of dynamic shared memory (more
/// than 48 KiB needs this). Errors: more than the device has.
Result<void> setDynamicSharedMemory(Function function, int64_t bytes);

/// Blocks of a grid, threads of a block, dynamic shared memory in bytes.
struct LaunchShape {
  unsigned grid[3] = {1, 1, 1};
  unsigned block[3] = {1, 1, 1};
  unsigned sharedBytes = 0;
  /// It may begin before what is ahead in the stream has ended, as far as that
  /// allows it (KernelEntry::isDependent).
  bool isDependent = false;
};

/// Enqueues one launch. `parameters` points to one pointer per kernel
/// parameter. Errors: the driver rejects the launch. What goes wrong while the
/// kernel runs is reported by a later call, as the driver does.
Result<void> launch(Function function, const LaunchShape &shape,
                    void **parameters, Stream stream);

/// Whether what is enqueued on `stream` now becomes a graph.
Result<bool> isCapturing(Stream stream);

/// A tensor whose innermost dimension, of stride 1, comes first; `strides` are
/// in elements, of the other dimensions.
struct TensorMapShape {
  TensorMapDataType type = kTensorMapBF16; ///< of 2 bytes
  void *address = nullptr;
  std::array<int64_t, 4> sizes = {1, 1, 1, 1};
  std::array<int64_t, 3> strides = {0, 0, 0};
  friend bool operator==(const TensorMapShape &a, const TensorMapShape &b) {
    return a.type == b.type && a.address == b.address && a.sizes == b.sizes &&
           a.strides == b.strides;
  }
};

/// A map that copies `rows` of 64 channels at a time, 128 bytes each with their
/// 16-byte pieces swizzled, and zeros where the tensor has ended. Errors: what
/// TMA does not take, such as strides that are not multiples of 16
/// bytes. A thread remembers the maps that it made last.
Result<TensorMap> encodeTensorMap(const TensorMapShape &shape, int64_t rows);

/// Whether kernels on `device` may read and write what lies at `address`: its
/// own memory, and memory of the host or of managed pages that the driver knows
/// of. Errors: what they may not, and where that is: "expects 'NAME' in memory
/// of GPU 0, got memory of GPU 1".
Result<void> checkMemory(const char *name, const void *address, Device device);

/// Code loaded into the context that was current; unloaded with the object,
/// which must therefore outlive the launches.
class Module {
public:
  /// Compiles PTX with the driver's JIT. Errors: the JIT's own log.
  static Result<Module> fromPTX(const std::string &ptx);
  /// Loads machine code. Errors: what the driver says.
  static Result<Module> fromCubin(const std::string &cubin);

  Module(Module &&other) noexcept;
  Module &operator=(Module &&other) noexcept;
  Module(const Module &) = delete;
  Module &operator=(const Module &) = delete;
  ~Module();

  /// Errors: the module has no kernel of this name.
  Result<Function> function(const std::string &name) const;
  /// What the JIT said: registers, spills. Empty if the code came from the
  /// driver's cache.
  const std::string &log() const { return jitLog; }
  /// Where the code is loaded.
  Context owner() const { return context; }

private:
  Module(Context context, ModuleHandle handle, std::string log)
      : context(context), handle(handle), jitLog(std::move(log)) {}
  /// `what` the code is, in words.
  static Result<Module> load(const std::string &code, const char *what);
  void unload();

  Context context = nullptr;
  ModuleHandle handle = nullptr;
  std::string jitLog;
};

/// Device memory that frees itself, aligned to at least 256 bytes. Zero bytes
/// are allowed and give a null address.
class Buffer {
public:
  /// Errors: out of memory, with the size asked for and what is free.
  static Result<Buffer> allocate(int64_t bytes);

  Buffer() = default;
  Buffer(Buffer &&other) noexcept;
  Buffer &operator=(Buffer &&other) noexcept;
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;
  ~Buffer();

  DevicePointer address() const { return pointer; }
  void *data() const { return reinterpret_cast<void *>(pointer); }
  /// Gives the memory to the caller, who frees it with memFree.
  DevicePointer take();

private:
  Buffer(DevicePointer pointer, Context context)
      : pointer(pointer), context(context) {}

  DevicePointer pointer = 0;
  Context context = nullptr; ///< where it was allocated
};

} // namespace attn::cuda

#endif // ATTN_RUNTIME_CUDADRIVER_H
