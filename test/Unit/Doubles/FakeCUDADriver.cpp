// A libcuda.so.1 whose GPU is the host: device memory is host memory, streams
// run at once, events read a clock that only kernels and fills advance. With it
// the code around a GPU (loading, error reports, the order of flush, events and
// work) is tested on machines without one. "PTX" is a text: a line
// `.entry NAME` makes a kernel, the word `syntax-error` makes the JIT refuse.
// With `runsKernels` it is real PTX, and a launch runs it (test/PTXMachine).
#include "FakeCUDADriver.h"

#include "FakeCUDAGraph.h"

#include "../../PTXMachine/Machine.h"
#include "../../PTXMachine/TensorMap.h"

#include "attn/Runtime/CUDADriver.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <vector>

namespace attn::cuda {

// Every symbol that the table needs, so that a missing one is seen here.
#define ATTN_CUDA_ENTRY(member, symbol, parameters)                            \
  extern "C" Status symbol parameters;
#include "attn/Runtime/CUDADriver.def"

struct OpaqueModule {
  std::set<std::string> kernels;
  std::map<std::string, OpaqueFunction *> functions;
  std::map<std::string, std::unique_ptr<ptx::Code>> codes;
};
struct OpaqueFunction {
  std::string name;
  std::map<FunctionAttribute, int> attributes;
  const ptx::Code *code = nullptr;
};
struct OpaqueEvent {
  double milliseconds = 0;
  bool recorded = false;
};

namespace {
FakeCUDA state;
int contextObject, streamObject;
std::map<DevicePointer, size_t> allocations;

constexpr Status kInvalidValue = 1, kNoDevice = 100, kInvalidContext = 201,
                 kInvalidPtx = 218, kNotFound = 500, kNotReady = 600,
                 kCaptureUnsupported = 900;
} // namespace

extern "C" FakeCUDA *fakeCUDA() { return &state; }

// The same for a test that is no C++: what was enqueued since the last call, a
// line each, and how long a fill and a kernel take from now on.
extern "C" const char *fakeCUDASequence() {
  static std::string last;
  last = std::move(state.sequence);
  state.sequence.clear();
  return last.c_str();
}
extern "C" void fakeCUDASetTimes(double fill, double kernel) {
  state.fillMilliseconds = fill;
  state.kernelMilliseconds = kernel;
}

static void note(const std::string &call) { state.sequence += call + "\n"; }

/// Whether all of the bytes lie in one allocation.
static bool isAllocated(uint64_t address, uint64_t bytes) {
  auto found = allocations.upper_bound(address);
  if (found == allocations.begin())
    return false;
  --found;
  uint64_t offset = address - found->first;
  return offset <= found->second && bytes <= found->second - offset;
}

/// Takes the n-th statement with an opcode out of a kernel:
/// ATTN_PTX_DROP=n:OPCODE shows whether a test notices that, say, a wait is
/// missing.
static void dropStatement(ptx::Kernel &kernel) {
  const char *drop = std::getenv("ATTN_PTX_DROP");
  if (!drop)
    return;
  char *opcode = nullptr;
  long left = std::strtol(drop, &opcode, 10);
  for (ptx::Statement &statement : kernel.statements)
    if (statement.opcode == opcode + 1 && left-- == 0) {
      std::fprintf(stderr, "without PTX line %d: %s\n", statement.line,
                   statement.opcode.c_str());
      // Labels keep their place; a wait that always succeeds is none.
      bool waits = statement.opcode.rfind("mbarrier.try_wait", 0) == 0;
      ptx::Argument yes;
      yes.kind = ptx::Argument::Integer;
      yes.value = 1;
      statement.arguments.resize(waits ? 1 : 0);
      if (waits)
        statement.arguments.push_back(yes);
      statement.opcode = waits ? "mov.pred" : "fence";
    }
}

/// What ptxas says against the code; empty if it assembles, or if
/// ATTN_PTX_ASSEMBLER, which names the program, is not set.
static std::string assemblerErrors(const std::string &ptx) {
  const char *assembler = std::getenv("ATTN_PTX_ASSEMBLER");
  if (!assembler)
    return "";
  size_t target = ptx.find(".target ") + 8;
  std::string arch =
      ptx.substr(target, ptx.find_first_of(", \n", target) - target);
  const char *folder = std::getenv("TMPDIR");
  std::string path = std::string(folder ? folder : "/tmp") + "/attn-ptx-XXXXXX";
  int file = mkstemp(path.data());
  FILE *code = file < 0 ? nullptr : fdopen(file, "w");
  if (!code)
    return "cannot write " + path;
  std::fwrite(ptx.data(), 1, ptx.size(), code);
  std::fclose(code);
  std::string command = std::string("'") + assembler + "' -arch=" + arch +
                        " -o /dev/null " + path + " 2>&1";
  std::string errors;
  if (FILE *output = popen(command.c_str(), "r")) {
    char line[512];
    while (std::fgets(line, sizeof line, output))
      errors += line;
    int status = pclose(output);
    errors =
        status == 0 ? "" : errors + "ptxas failed: " + std::to_string(status);
  } else {
    errors = "cannot run " + command;
  }
  std::remove(path.c_str());
  return errors.substr(0, 1000);
}

/// ATTN_PTX_SEED and ATTN_PTX_TIMING (eager, lazy or random) choose another
/// order of things.
static ptx::Options machineOptions() {
  ptx::Options options;
  if (const char *seed = std::getenv("ATTN_PTX_SEED"))
    options.seed = unsigned(std::atoi(seed));
  static unsigned launches = 0;
  options.seed += launches++; // no two runs in the same order
  if (const char *timing = std::getenv("ATTN_PTX_TIMING"))
    options.timing = *timing == 'e'   ? ptx::Timing::Eager
                     : *timing == 'l' ? ptx::Timing::Lazy
                                      : ptx::Timing::Random;
  options.accessible = isAllocated;
  return options;
}

static thread_local Context current = nullptr;

extern "C" Status cuInit(unsigned) {
  if (std::getenv("ATTN_PTX_RUN")) {
    state.runsKernels = true;
    state.memoryBytes = size_t(4) << 30;
  }
  if (const char *devices = std::getenv("FAKE_CUDA_DEVICES"))
    return std::atoi(devices) ? kSuccess : kNoDevice;
  return kSuccess;
}
extern "C" Status cuDriverGetVersion(int *version) {
  *version = 13000;
  return kSuccess;
}
extern "C" Status cuGetErrorString(Status status, const char **text) {
  static const std::map<Status, const char *> texts = {
      {kInvalidValue, "invalid argument"},
      {kOutOfMemory, "out of memory"},
      {kNoDevice, "no CUDA-capable device is detected"},
      {kInvalidPtx, "a PTX JIT compilation failed"},
      {kNotFound, "named symbol not found"},
      {700, "an illegal memory access was encountered"}};
  auto found = texts.find(status);
  *text = found == texts.end() ? nullptr : found->second;
  return found == texts.end() ? kInvalidValue : kSuccess;
}
extern "C" Status cuGetErrorName(Status status, const char **text) {
  static const std::map<Status, const char *> names = {
      {kInvalidValue, "CUDA_ERROR_INVALID_VALUE"},
      {kOutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY"},
      {kNoDevice, "CUDA_ERROR_NO_DEVICE"},
      {kInvalidPtx, "CUDA_ERROR_INVALID_PTX"},
      {kNotFound, "CUDA_ERROR_NOT_FOUND"},
      {700, "CUDA_ERROR_ILLEGAL_ADDRESS"}};
  auto found = names.find(status);
  *text = found == names.end() ? nullptr : found->second;
  return found == names.end() ? kInvalidValue : kSuccess;
}

extern "C" Status cuDeviceGetCount(int *count) {
  *count = 1;
  return kSuccess;
}
extern "C" Status cuDeviceGet(Device *device, int ordinal) {
  *device = ordinal;
  return ordinal == 0 ? kSuccess : kInvalidValue;
}
extern "C" Status cuDeviceGetName(char *name, int length, Device) {
  std::snprintf(name, length, "Fake GPU");
  return kSuccess;
}
extern "C" Status cuDeviceTotalMem_v2(size_t *bytes, Device) {
  *bytes = state.memoryBytes;
  return kSuccess;
}
extern "C" Status cuDeviceGetAttribute(int *value, DeviceAttribute attribute,
                                       Device) {
  const std::map<DeviceAttribute, int> values = {
      {kComputeCapabilityMajor, state.computeMajor},
      {kComputeCapabilityMinor, 0},
      {kMultiprocessorCount, state.multiprocessors},
      {kMemoryClock, 2619000},
      {kL2CacheSize, 64 << 10},
      {kMaxSharedPerBlockOptin, 232448}};
  auto found = values.find(attribute);
  if (found == values.end())
    return kInvalidValue;
  *value = found->second;
  return kSuccess;
}

extern "C" Status cuDeviceGetPCIBusId(char *text, int length, Device) {
  std::snprintf(text, length, "0000:17:00.0");
  return kSuccess;
}

extern "C" Status cuDevicePrimaryCtxRetain(Context *context, Device) {
  *context = reinterpret_cast<Context>(&contextObject);
  return kSuccess;
}
extern "C" Status cuCtxSetCurrent(Context context) {
  current = context;
  return kSuccess;
}
extern "C" Status cuCtxGetCurrent(Context *context) {
  *context = current;
  return kSuccess;
}
extern "C" Status cuCtxGetDevice(Device *device) {
  *device = 0;
  return kSuccess;
}
extern "C" Status cuCtxSynchronize() {
  return state.isCapturing ? kCaptureUnsupported : state.asyncStatus;
}

/// Machine code of this GPU is the PTX, behind a word that says so.
static constexpr const char *cubinMark = "// cubin\n";

extern "C" Status cuModuleLoadDataEx(ModuleHandle *module, const void *image,
                                     unsigned count, JitOption *options,
                                     void **values) {
  if (state.isCapturing)
    return kCaptureUnsupported;
  auto log = [&](JitOption option, const char *text) {
    for (unsigned i = 0; i < count; ++i)
      if (options[i] == option)
        std::strcpy(static_cast<char *>(values[i]), text);
  };
  std::string ptx = static_cast<const char *>(image);
  bool isCubin = ptx.rfind(cubinMark, 0) == 0;
  if (isCubin)
    ptx.erase(0, std::strlen(cubinMark));
  ++(isCubin ? state.loadedCubins : state.jitModules);
  if (ptx.find("syntax-error") != std::string::npos) {
    log(kJitErrorLog, "ptxas application ptx input, line 1; fatal: unexpected "
                      "instruction\n");
    return kInvalidPtx;
  }
  if (std::string errors = assemblerErrors(ptx); !errors.empty()) {
    log(kJitErrorLog, errors.c_str());
    return kInvalidPtx;
  }
  log(kJitInfoLog, "ptxas info : Used 40 registers\n");
  auto loaded = std::make_unique<OpaqueModule>();
  if (state.runsKernels) {
    try {
      for (auto &[name, kernel] : ptx::parse(ptx)) {
        dropStatement(kernel);
        loaded->codes[name] = ptx::decode(std::move(kernel));
      }
    } catch (const ptx::Fault &fault) {
      log(kJitErrorLog, fault.what());
      return kInvalidPtx;
    }
  }
  *module = loaded.release();
  size_t at = 0;
  while ((at = ptx.find(".entry ", at)) != std::string::npos) {
    at += 7;
    size_t end = ptx.find_first_of("(\n", at);
    (*module)->kernels.insert(ptx.substr(at, end - at));
  }
  ++state.loadedModules;
  return kSuccess;
}

extern "C" Status cuModuleUnload(ModuleHandle module) {
  if (!current)
    return kInvalidContext;
  for (auto &[name, function] : module->functions)
    delete function;
  delete module;
  --state.loadedModules;
  return kSuccess;
}
extern "C" Status cuModuleGetFunction(Function *function, ModuleHandle module,
                                      const char *name) {
  if (!module->kernels.count(name))
    return kNotFound;
  OpaqueFunction *&found = module->functions[name];
  if (!found) {
    found = new OpaqueFunction{name,
                               {{kRegisters, 40},
                                {kLocalBytes, state.localBytes},
                                {kSharedBytes, 1024},
                                {kMaxThreadsPerBlock, state.maxThreads},
                                {kMaxDynamicSharedBytes, 48 << 10}}};
    state.localBytes += state.moreLocalBytes;
  }
  if (auto code = module->codes.find(name); code != module->codes.end()) {
    found->code = code->second.get();
    found->attributes[kMaxThreadsPerBlock] = found->code->kernel.maxThreads;
    found->attributes[kSharedBytes] =
        static_cast<int>(found->code->kernel.sharedBytes);
  }
  *function = found;
  return kSuccess;
}
extern "C" Status cuFuncGetAttribute(int *value, FunctionAttribute attribute,
                                     Function function) {
  *value = function->attributes[attribute];
  return kSuccess;
}
extern "C" Status cuFuncSetAttribute(Function function,
                                     FunctionAttribute attribute, int value) {
  function->attributes[attribute] = value;
  return kSuccess;
}
extern "C" Status cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks,
                                                              Function, int,
                                                              size_t) {
  *blocks = 2;
  return kSuccess;
}
/// What a tool such as compute-sanitizer would print goes to standard error.
static Status runKernel(const ptx::Code &code, ptx::Dim3 grid, ptx::Dim3 block,
                        unsigned sharedBytes, void **parameters) {
  ptx::Options options = machineOptions();
  std::map<std::string, uint64_t> counts;
  const char *countsFile = std::getenv("ATTN_PTX_COUNTS");
  if (countsFile)
    options.counts = &counts;
  try {
    ptx::launch(code, grid, block, sharedBytes, parameters, options);
  } catch (const ptx::Fault &fault) {
    std::fprintf(stderr, "kernel '%s': %s\n", code.kernel.name.c_str(),
                 fault.what());
    state.asyncStatus = 700;
  }
  if (std::FILE *file = countsFile ? std::fopen(countsFile, "a") : nullptr) {
    for (const auto &[opcode, count] : counts)
      std::fprintf(file, "%s %s %llu\n", code.kernel.name.c_str(),
                   opcode.c_str(), static_cast<unsigned long long>(count));
    std::fclose(file);
  }
  return kSuccess;
}

/// What a graph keeps of a launch: parameters are copied.
static void recordLaunch(const OpaqueFunction &function,
                         std::function<Status(void **)> launch,
                         void **parameters) {
  // Of a kernel that is not run only the first parameter is looked at.
  std::vector<size_t> sizes(parameters && parameters[0] ? 1 : 0, 8);
  if (function.code) {
    sizes.clear();
    const ptx::Kernel &kernel = function.code->kernel;
    for (const std::string &name : kernel.parameterNames)
      sizes.push_back(size_t(kernel.parameters.at(name).bytes));
  }
  std::vector<std::vector<char>> copies;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const char *from = static_cast<const char *>(parameters[i]);
    copies.emplace_back(from, from + sizes[i]);
  }
  record([copies, launch]() mutable {
    std::vector<void *> places;
    for (std::vector<char> &copy : copies)
      places.push_back(copy.data());
    places.push_back(nullptr);
    return launch(places.data());
  });
}

static Status runLaunch(OpaqueFunction *function, ptx::Dim3 grid,
                        ptx::Dim3 block, unsigned sharedBytes,
                        void **parameters) {
  state.clockMilliseconds += state.kernelMilliseconds;
  state.calls += 'K';
  note("launch " + function->name + " " + std::to_string(grid.x) + " x " +
       std::to_string(block.x));
  if (function->name == "attn_bench_wait")
    state.clockMilliseconds +=
        double(*static_cast<uint64_t *>(parameters[1])) * 1e-6;
  if (function->code)
    return runKernel(*function->code, grid, block, sharedBytes, parameters);
  if (parameters && parameters[0]) // each kernel stores the grid's width
    **static_cast<int **>(parameters[0]) = int(grid.x);
  return kSuccess;
}

extern "C" Status cuLaunchKernel(Function function, unsigned gridX,
                                 unsigned gridY, unsigned gridZ,
                                 unsigned blockX, unsigned blockY,
                                 unsigned blockZ, unsigned sharedBytes, Stream,
                                 void **parameters, void **) {
  if (!current)
    return kInvalidContext;
  if (gridX == 0 ||
      blockX * blockY * blockZ >
          unsigned(function->attributes[kMaxThreadsPerBlock]) ||
      sharedBytes > unsigned(function->attributes[kMaxDynamicSharedBytes]))
    return kInvalidValue;
  ptx::Dim3 grid{gridX, gridY, gridZ}, block{blockX, blockY, blockZ};
  if (!isRecording())
    return runLaunch(function, grid, block, sharedBytes, parameters);
  recordLaunch(
      *function,
      [=](void **copies) {
        return runLaunch(function, grid, block, sharedBytes, copies);
      },
      parameters);
  return kSuccess;
}

/// A kernel whose launch depends on the one before it alone by what it awaits
/// must await it, and the one before let it begin; here they come one after
/// the other.
extern "C" Status cuLaunchKernelEx(const LaunchConfig *config,
                                   Function function, void **parameters,
                                   void **extra) {
  bool isDependent =
      config->attributeCount == 1 &&
      config->attributes->id == kProgrammaticStreamSerialization &&
      config->attributes->value[0];
  auto has = [&](const char *opcode) {
    const std::vector<ptx::Statement> &all = function->code->kernel.statements;
    return std::any_of(all.begin(), all.end(),
                       [&](const ptx::Statement &statement) {
                         return statement.opcode == opcode;
                       });
  };
  if (!isDependent || (function->code && !has("griddepcontrol.wait")))
    return kInvalidValue;
  ++state.dependentLaunches;
  const auto &[grid, block, sharedBytes, stream, attributes, count] = *config;
  return cuLaunchKernel(function, grid[0], grid[1], grid[2], block[0], block[1],
                        block[2], sharedBytes, stream, parameters, extra);
}

extern "C" Status cuMemAlloc_v2(DevicePointer *pointer, size_t bytes) {
  if (!current)
    return kInvalidContext;
  if (state.isCapturing)
    return kCaptureUnsupported;
  ++state.memoryCalls;
  if (bytes == 0)
    return kInvalidValue;
  if (state.usedBytes + bytes > state.memoryBytes)
    return kOutOfMemory;
  *pointer = reinterpret_cast<DevicePointer>(
      std::aligned_alloc(256, (bytes + 255) / 256 * 256));
  // NaN of every type, so that a read of what nobody wrote is seen.
  std::memset(reinterpret_cast<void *>(*pointer), 0xff, bytes);
  allocations[*pointer] = bytes;
  state.usedBytes += bytes;
  return kSuccess;
}
extern "C" Status cuMemFree_v2(DevicePointer pointer) {
  if (!current)
    return kInvalidContext;
  if (state.isCapturing)
    return kCaptureUnsupported;
  ++state.memoryCalls;
  auto found = allocations.find(pointer);
  if (found == allocations.end())
    return kInvalidValue;
  state.usedBytes -= found->second;
  allocations.erase(found);
  std::free(reinterpret_cast<void *>(pointer));
  return kSuccess;
}
extern "C" Status cuMemGetInfo_v2(size_t *free, size_t *total) {
  *free = state.memoryBytes - state.usedBytes;
  *total = state.memoryBytes;
  return kSuccess;
}
extern "C" Status cuMemGetAddressRange_v2(DevicePointer *base, size_t *bytes,
                                          DevicePointer pointer) {
  auto found = allocations.upper_bound(pointer);
  if (found == allocations.begin())
    return kInvalidValue;
  --found;
  if (pointer >= found->first + found->second)
    return kInvalidValue;
  *base = found->first;
  *bytes = found->second;
  return kSuccess;
}
/// Without the machine tests take the host's memory for the GPU's.
extern "C" Status cuPointerGetAttributes(unsigned count,
                                         PointerAttribute *attributes,
                                         void **values, DevicePointer pointer) {
  bool isUnknown = state.runsKernels && !isAllocated(pointer, 1);
  isUnknown |= pointer && pointer == state.unknownMemory;
  int ordinal = pointer && pointer == state.memoryOfGPU1 ? 1 : 0;
  for (unsigned i = 0; i < count; ++i)
    *static_cast<int *>(values[i]) = attributes[i] == kMemoryType && !isUnknown
                                         ? int(kMemoryTypeDevice)
                                     : attributes[i] == kDeviceOrdinal ? ordinal
                                                                       : 0;
  return kSuccess;
}
extern "C" Status cuIpcGetMemHandle(IpcHandle *handle, DevicePointer pointer) {
  if (!allocations.count(pointer))
    return kInvalidValue;
  *handle = {};
  std::memcpy(handle->bytes, &pointer, sizeof(pointer));
  return kSuccess;
}
extern "C" Status cuMemcpyHtoDAsync_v2(DevicePointer to, const void *from,
                                       size_t bytes, Stream) {
  std::memcpy(reinterpret_cast<void *>(to), from, bytes);
  return kSuccess;
}
extern "C" Status cuMemcpyDtoDAsync_v2(DevicePointer to, DevicePointer from,
                                       size_t bytes, Stream stream) {
  if (isRecording() && stream) {
    record([=] { return cuMemcpyDtoDAsync_v2(to, from, bytes, nullptr); });
    return kSuccess;
  }
  std::memcpy(reinterpret_cast<void *>(to),
              reinterpret_cast<const void *>(from), bytes);
  state.clockMilliseconds += state.kernelMilliseconds;
  state.calls += 'C';
  return kSuccess;
}
extern "C" Status cuMemcpyDtoHAsync_v2(void *to, DevicePointer from,
                                       size_t bytes, Stream) {
  std::memcpy(to, reinterpret_cast<void *>(from), bytes);
  return kSuccess;
}
extern "C" Status cuMemsetD8Async(DevicePointer to, unsigned char value,
                                  size_t count, Stream stream) {
  if (isRecording() && stream) {
    record([=] { return cuMemsetD8Async(to, value, count, nullptr); });
    return kSuccess;
  }
  std::memset(reinterpret_cast<void *>(to), value, count);
  state.clockMilliseconds += state.fillMilliseconds;
  state.calls += 'F';
  note("fill " + std::to_string(count));
  state.lastFillBytes = count;
  return kSuccess;
}
extern "C" Status cuMemsetD2D8Async(DevicePointer to, size_t pitch,
                                    unsigned char value, size_t width,
                                    size_t height, Stream stream) {
  if (pitch < width)
    return kInvalidValue;
  if (isRecording() && stream) {
    record([=] {
      return cuMemsetD2D8Async(to, pitch, value, width, height, nullptr);
    });
    return kSuccess;
  }
  for (size_t row = 0; row < height; ++row)
    std::memset(reinterpret_cast<void *>(to + row * pitch), value, width);
  return kSuccess;
}
extern "C" Status cuMemsetD32Async(DevicePointer to, unsigned value,
                                   size_t count, Stream stream) {
  if (to % 4)
    return kInvalidValue;
  if (isRecording() && stream) {
    record([=] { return cuMemsetD32Async(to, value, count, nullptr); });
    return kSuccess;
  }
  std::fill_n(reinterpret_cast<unsigned *>(to), count, value);
  return kSuccess;
}

/// What the driver checks: the programming guide's rules for tiled maps.
extern "C" Status cuTensorMapEncodeTiled(
    TensorMap *map, TensorMapDataType type, unsigned rank, void *address,
    const TensorMapSize *sizes, const TensorMapSize *strides,
    const unsigned *box, const unsigned *, TensorMapInterleave,
    TensorMapSwizzle swizzle, TensorMapL2Promotion, TensorMapFill) {
  bool sixteenBits = type == kTensorMapF16 || type == kTensorMapBF16;
  if (rank != 4 || swizzle != kTensorMapSwizzle128 || !sixteenBits ||
      reinterpret_cast<uintptr_t>(address) % 16 || box[0] * 2 > 128)
    return kInvalidValue;
  ptx::TensorMap made = {};
  made.magic = ptx::TensorMap::kMagic;
  made.rank = uint16_t(rank);
  made.elementBytes = 2;
  made.address = reinterpret_cast<uintptr_t>(address);
  made.swizzle = unsigned(swizzle);
  for (unsigned i = 0; i < rank; ++i) {
    if (sizes[i] == 0 || sizes[i] > uint64_t(1) << 32 || box[i] == 0 ||
        box[i] > 256)
      return kInvalidValue;
    made.sizes[i] = sizes[i];
    made.box[i] = uint16_t(box[i]);
  }
  for (unsigned i = 0; i + 1 < rank; ++i) {
    if (strides[i] % 16 || strides[i] >= uint64_t(1) << 40)
      return kInvalidValue;
    made.strides[i] = strides[i];
  }
  *map = {};
  std::memcpy(map, &made, sizeof(made));
  return kSuccess;
}

extern "C" Status cuStreamCreate(Stream *stream, unsigned) {
  *stream = reinterpret_cast<Stream>(&streamObject);
  return kSuccess;
}
extern "C" Status cuStreamDestroy_v2(Stream) { return kSuccess; }
extern "C" Status cuStreamIsCapturing(Stream, CaptureStatus *status) {
  *status = state.isCapturing;
  return kSuccess;
}
extern "C" Status cuStreamSynchronize(Stream) {
  if (state.isCapturing)
    return kCaptureUnsupported;
  note("synchronize");
  return state.asyncStatus;
}
extern "C" Status cuEventCreate(Event *event, unsigned) {
  *event = new OpaqueEvent;
  ++state.liveEvents;
  return kSuccess;
}
extern "C" Status cuEventDestroy_v2(Event event) {
  delete event;
  --state.liveEvents;
  return kSuccess;
}
extern "C" Status cuEventRecord(Event event, Stream) {
  event->milliseconds = state.clockMilliseconds;
  event->recorded = true;
  state.calls += 'E';
  note("event");
  return kSuccess;
}
extern "C" Status cuEventSynchronize(Event) { return state.asyncStatus; }
extern "C" Status cuEventElapsedTime(float *milliseconds, Event start,
                                     Event end) {
  if (!start->recorded || !end->recorded)
    return kNotReady;
  *milliseconds = float(end->milliseconds - start->milliseconds);
  return kSuccess;
}

} // namespace attn::cuda
