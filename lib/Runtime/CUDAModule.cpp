// The steps between PTX text and a running kernel, on top of the driver table:
// context, device properties, module, launch, memory.
#include "attn/Runtime/CUDADriver.h"
#include "attn/Support/Try.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

using namespace attn;
using namespace attn::cuda;

/// Leaves the function with the error if `call`, an expression of type Status,
/// did not succeed.
#define ATTN_CUDA_TRY(table, what, call) ATTN_TRY((table).check(call, what))

Context cuda::currentContext() {
  Context context = nullptr;
  if (Result<const Driver *> table = driver())
    (*table)->ctxGetCurrent(&context);
  return context;
}

Result<Device> cuda::currentDevice() {
  ATTN_TRY_ASSIGN(const Driver *table, driver());
  const Driver &cu = *table;
  if (!currentContext())
    return Error{"no CUDA context is current on this thread: expects "
                 "KernelSpec::device, or a context that the caller makes "
                 "current (attn::cuda::useDevice)"};
  Device device = 0;
  ATTN_CUDA_TRY(cu, "cuCtxGetDevice", cu.ctxGetDevice(&device));
  return device;
}

Result<Context> cuda::primaryContext(int ordinal) {
  ATTN_TRY_ASSIGN(const Driver *table, driver());
  const Driver &cu = *table;
  Device device = 0;
  if (cu.deviceGet(&device, ordinal) != kSuccess)
    return Error{"there is no GPU " + std::to_string(ordinal)};
  static std::mutex mutex;
  static std::map<Device, Context> retained;
  std::lock_guard<std::mutex> lock(mutex);
  Context &context = retained[device];
  if (!context)
    ATTN_CUDA_TRY(cu, "cuDevicePrimaryCtxRetain",
                  cu.devicePrimaryCtxRetain(&context, device));
  return context;
}

Result<void> cuda::useDevice(int ordinal) {
  ATTN_TRY_ASSIGN(Context context, primaryContext(ordinal));
  return (*driver())->check((*driver())->ctxSetCurrent(context),
                            "cuCtxSetCurrent");
}

ContextScope::ContextScope(Context context) : before(currentContext()) {
  changed = context && context != before;
  if (changed)
    (*driver())->ctxSetCurrent(context);
}

ContextScope::~ContextScope() {
  if (changed)
    (*driver())->ctxSetCurrent(before);
}

Result<DeviceInfo> cuda::deviceInfo(Device device) {
  ATTN_TRY_ASSIGN(const Driver *table, driver());
  const Driver &cu = *table;
  DeviceInfo info;
  char name[256] = {};
  ATTN_CUDA_TRY(cu, "cuDeviceGetName",
                cu.deviceGetName(name, sizeof(name) - 1, device));
  info.name = name;
  size_t bytes = 0;
  ATTN_CUDA_TRY(cu, "cuDeviceTotalMem", cu.deviceTotalMem(&bytes, device));
  info.memoryBytes = static_cast<int64_t>(bytes);
  int l2 = 0, shared = 0;
  for (auto [attribute, value] :
       {std::pair<DeviceAttribute, int *>{kComputeCapabilityMajor,
                                          &info.computeMajor},
        {kComputeCapabilityMinor, &info.computeMinor},
        {kMultiprocessorCount, &info.multiprocessors},
        {kMemoryClock, &info.memoryKHz},
        {kL2CacheSize, &l2},
        {kMaxSharedPerBlockOptin, &shared}})
    ATTN_CUDA_TRY(cu, "cuDeviceGetAttribute",
                  cu.deviceGetAttribute(value, attribute, device));
  info.l2Bytes = l2;
  info.maxSharedBytes = shared;
  ATTN_CUDA_TRY(cu, "cuDriverGetVersion",
                cu.driverGetVersion(&info.driverVersion));
  return info;
}

Result<FunctionInfo> cuda::functionInfo(Function function) {
  ATTN_TRY_ASSIGN(const Driver *table, driver());
  const Driver &cu = *table;
  FunctionInfo info;
  for (auto [attribute, value] :
       {std::pair<FunctionAttribute, int *>{kRegisters, &info.registers},
        {kLocalBytes, &info.localBytes},
        {kSharedBytes, &info.staticSharedBytes},
        {kMaxThreadsPerBlock, &info.maxThreads}})
    ATTN_CUDA_TRY(cu, "cuFuncGetAttribute",
                  cu.funcGetAttribute(value, attribute, function));
  return info;
}

Result<void> cuda::setDynamicSharedMemory(Function function, int64_t bytes) {
  ATTN_TRY_ASSIGN(Device device, currentDevice());
  const Driver &cu = **driver();
  int most = 0;
  ATTN_CUDA_TRY(cu, "cuDeviceGetAttribute",
                cu.deviceGetAttribute(&most, kMaxSharedPerBlockOptin, device));
  ATTN_TRY_ASSIGN(FunctionInfo info, functionInfo(function));
  int64_t all = bytes + info.staticSharedBytes;
  if (all > most)
    return Error{"the kernel needs " + std::to_string(all) +
                 " bytes of shared memory per block, this GPU has " +
                 std::to_string(most)};
  return cu.check(cu.funcSetAttribute(function, kMaxDynamicSharedBytes,
                                      static_cast<int>(bytes)),
                  "cuFuncSetAttribute");
}

static Result<void> launchDependent(const Driver &cu, Function function,
                                    const LaunchShape &shape, void **parameters,
                                    Stream stream) {
  LaunchAttribute dependent{kProgrammaticStreamSerialization, {1}};
  LaunchConfig config;
  std::copy_n(shape.grid, 3, config.grid);
  std::copy_n(shape.block, 3, config.block);
  config.sharedBytes = shape.sharedBytes;
  config.stream = stream;
  config.attributes = &dependent, config.attributeCount = 1;
  return cu.check(cu.launchKernelEx(&config, function, parameters, nullptr),
                  "cuLaunchKernelEx");
}

Result<void> cuda::launch(Function function, const LaunchShape &shape,
                          void **parameters, Stream stream) {
  ATTN_TRY_ASSIGN(const Driver *table, driver());
  const Driver &cu = *table;
  const unsigned *grid = shape.grid, *block = shape.block;
  Result<void> ok =
      shape.isDependent
          ? launchDependent(cu, function, shape, parameters, stream)
          : cu.check(cu.launchKernel(function, grid[0], grid[1], grid[2],
                                     block[0], block[1], block[2],
                                     shape.sharedBytes, stream, parameters,
                                     nullptr),
                     "cuLaunchKernel");
  if (ok)
    return ok;
  auto dims = [](const unsigned *d) {
    return std::to_string(d[0]) + "x" + std::to_string(d[1]) + "x" +
           std::to_string(d[2]);
  };
  return Error{ok.error() + ": grid " + dims(grid) + ", block " + dims(block) +
               ", " + std::to_string(shape.sharedBytes) +
               " bytes of dynamic shared memory"};
}

Result<bool> cuda::isCapturing(Stream stream) {
  ATTN_TRY_ASSIGN(const Driver *table, driver());
  CaptureStatus status = 0;
  ATTN_TRY(table->check(table->streamIsCapturing(stream, &status),
                        "cuStreamIsCapturing"));
  return status != 0;
}

/// A log buffer's text without the blank end.
static std::string textOf(const std::vector<char> &buffer) {
  std::string text(buffer.data());
  while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
    text.pop_back();
  return text;
}

namespace {
/// What the JIT says, and the options that have it said.
class JitLogs {
public:
  static constexpr unsigned count = 5;
  JitOption *options() { return names; }
  void **values() { return settings; }
  std::string info() const { return textOf(infoText); }
  /// `status`: of a call that got the options.
  Error rejection(const char *what, const Result<void> &status) const {
    std::string log = textOf(errorText);
    return Error{std::string("the CUDA driver rejects the ") + what + ": " +
                 status.error() + (log.empty() ? "" : "\n" + log)};
  }

private:
  static void *number(size_t value) { return reinterpret_cast<void *>(value); }

  std::vector<char> infoText = std::vector<char>(16384, '\0'),
                    errorText = infoText;
  JitOption names[count] = {kJitInfoLog, kJitInfoLogBytes, kJitErrorLog,
                            kJitErrorLogBytes, kJitLogVerbose};
  void *settings[count] = {infoText.data(), number(infoText.size() - 1),
                           errorText.data(), number(errorText.size() - 1),
                           number(1)};
};
} // namespace

Result<Module> Module::load(const std::string &code, const char *what) {
  ATTN_TRY(currentDevice());
  const Driver &cu = **driver();
  Context context = currentContext();
  JitLogs logs;
  ModuleHandle handle = nullptr;
  Result<void> ok =
      cu.check(cu.moduleLoadDataEx(&handle, code.c_str(), JitLogs::count,
                                   logs.options(), logs.values()),
               "cuModuleLoadDataEx");
  if (!ok)
    return logs.rejection(what, ok);
  return Module(context, handle, logs.info());
}

Result<Module> Module::fromPTX(const std::string &ptx) {
  return load(ptx, "generated PTX");
}

Result<Module> Module::fromCubin(const std::string &cubin) {
  return load(cubin, "cubin");
}

Module::Module(Module &&other) noexcept
    : context(other.context), handle(std::exchange(other.handle, nullptr)),
      jitLog(std::move(other.jitLog)) {}

Module &Module::operator=(Module &&other) noexcept {
  if (this == &other)
    return *this;
  unload();
  context = other.context;
  handle = std::exchange(other.handle, nullptr);
  jitLog = std::move(other.jitLog);
  return *this;
}

Module::~Module() { unload(); }

/// The destructor may run on a thread whose current context is another one. An
/// error has nobody to go to: a broken context frees its modules itself.
void Module::unload() {
  if (!handle)
    return;
  ContextScope scope(context);
  (*driver())->moduleUnload(handle);
  handle = nullptr;
}

Result<Function> Module::function(const std::string &name) const {
  const Driver &cu = **driver();
  Function function = nullptr;
  if (Result<void> ok =
          cu.check(cu.moduleGetFunction(&function, handle, name.c_str()),
                   "cuModuleGetFunction");
      !ok)
    return Error{"no kernel '" + name + "' in the module: " + ok.error()};
  return function;
}

Result<Buffer> Buffer::allocate(int64_t bytes) {
  ATTN_TRY(currentDevice());
  if (bytes == 0)
    return Buffer();
  const Driver &cu = **driver();
  DevicePointer pointer = 0;
  Status status = cu.memAlloc(&pointer, static_cast<size_t>(bytes));
  if (status == kOutOfMemory) {
    size_t free = 0, total = 0;
    cu.memGetInfo(&free, &total);
    return Error{"out of GPU memory: needs " + std::to_string(bytes) +
                 " bytes, " + std::to_string(free) + " are free"};
  }
  ATTN_CUDA_TRY(cu, "cuMemAlloc", status);
  return Buffer(pointer, currentContext());
}

Buffer::Buffer(Buffer &&other) noexcept
    : pointer(other.take()), context(other.context) {}

Buffer &Buffer::operator=(Buffer &&other) noexcept {
  std::swap(pointer, other.pointer);
  std::swap(context, other.context);
  return *this;
}

Buffer::~Buffer() {
  if (!pointer)
    return;
  ContextScope scope(context);
  (*driver())->memFree(pointer);
}

DevicePointer Buffer::take() { return std::exchange(pointer, 0); }
