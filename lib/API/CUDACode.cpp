// See CUDACode.h.
#include "CUDACode.h"

#include "CaptureViews.h"
#include "ModImpl.h"
#include "attn/Pipelines/GPU.h"
#include "attn/Target/PTX/EmitPTX.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Pass/PassManager.h"

#include <algorithm>
#include <cstring>

using namespace attn;

Result<void> CUDACode::launch(int64_t blocks, const std::vector<void *> &given,
                              void *stream) const {
  // The driver would read past the end of too few.
  if (given.size() != parameters)
    return Error{"expects " + std::to_string(parameters) +
                 " kernel parameters, got " + std::to_string(given.size())};
  if (blocks == 0)
    return {};
  if (blocks > INT32_MAX)
    return Error{"expects at most 2147483647 query tiles over all batches and "
                 "heads, got " +
                 std::to_string(blocks)};
  if (counters)
    blocks = std::min(blocks, residentBlocks);
  cuda::LaunchShape shape;
  shape.grid[0] = static_cast<unsigned>(blocks);
  shape.block[0] = threads;
  shape.sharedBytes = static_cast<unsigned>(sharedBytes);
  return cuda::launch(function, shape, const_cast<void **>(given.data()),
                      static_cast<cuda::Stream>(stream));
}

Result<std::shared_ptr<TaskCounters>> TaskCounters::create() {
  Result<const cuda::Driver *> driver = cuda::driver();
  if (!driver)
    return Error{driver.error()};
  int64_t bytes = count * sizeof(uint32_t);
  Result<cuda::Buffer> memory = cuda::Buffer::allocate(bytes);
  if (!memory)
    return Error{memory.error()};
  Result<void> cleared = (*driver)->check(
      (*driver)->memsetD8Async(memory->address(), 0, bytes, nullptr),
      "cuMemsetD8Async");
  if (cleared)
    cleared = (*driver)->check((*driver)->streamSynchronize(nullptr),
                               "cuStreamSynchronize");
  if (!cleared)
    return Error{cleared.error()};
  auto counters = std::make_shared<TaskCounters>();
  counters->memory = std::move(*memory);
  return counters;
}

uint64_t TaskCounters::next() {
  return memory.address() + turn++ % count * sizeof(uint32_t);
}

/// Gives a persistent kernel its counters, and as many blocks as fit the GPU at
/// once.
static Result<void> makePersistent(CUDACode &code) {
  Result<cuda::Device> device = cuda::ensureContext();
  if (!device)
    return Error{device.error()};
  Result<cuda::DeviceInfo> info = cuda::deviceInfo(*device);
  if (!info)
    return Error{info.error()};
  Result<const cuda::Driver *> driver = cuda::driver();
  int blocks = 0;
  if (Result<void> known = (*driver)->check(
          (*driver)->occupancyMaxActiveBlocksPerMultiprocessor(
              &blocks, code.function, static_cast<int>(code.threads),
              code.sharedBytes),
          "cuOccupancyMaxActiveBlocksPerMultiprocessor");
      !known)
    return Error{known.error()};
  code.residentBlocks =
      static_cast<int64_t>(std::max(blocks, 1)) * info->multiprocessors;
  Result<std::shared_ptr<TaskCounters>> counters = TaskCounters::create();
  if (!counters)
    return Error{counters.error()};
  code.counters = *counters;
  return {};
}

/// What a launch must know of a lowered kernel.
static CUDACode launchOf(mlir::LLVM::LLVMFuncOp function) {
  CUDACode code;
  if (auto bytes =
          function->getAttrOfType<mlir::IntegerAttr>("tile.shared_bytes"))
    code.sharedBytes = bytes.getInt();
  if (auto maps =
          function->getAttrOfType<mlir::DenseI64ArrayAttr>("tile.tensor_maps"))
    code.tensorMaps = maps.asArrayRef().vec();
  code.threads =
      function->getAttrOfType<mlir::DenseI32ArrayAttr>("gpu.known_block_size")
          .asArrayRef()[0];
  code.parameters = function.getNumArguments();
  return code;
}

Result<std::vector<CUDACode>>
attn::loadCUDACode(const Mod &mod, mlir::ModuleOp module,
                   const std::vector<std::string> &names, bool exact,
                   const char *target) {
  std::string ptx;
  std::vector<CUDACode> codes;
  std::vector<bool> persistent;
  Result<void> lowered = mod.impl().collect("cannot be compiled", [&] {
    mlir::PassManager pm(module.getContext());
    mlir::attn::GPUPipelineOptions options;
    options.exact = exact;
    options.target = target;
    mlir::attn::buildGPUToNVVMPipeline(pm, options);
    if (mlir::failed(pm.run(module)))
      return mlir::failure();
    auto kernels = module.getOps<mlir::gpu::GPUModuleOp>();
    mlir::gpu::GPUModuleOp kernel = *kernels.begin();
    for (const std::string &name : names) {
      auto function = kernel.lookupSymbol<mlir::LLVM::LLVMFuncOp>(name);
      codes.push_back(launchOf(function));
      persistent.push_back(function->hasAttr("tile.task_counter"));
    }
    mlir::FailureOr<std::string> text = mlir::attn::emitPTX(kernel);
    if (mlir::failed(text))
      return mlir::failure();
    ptx = *text;
    return mlir::success();
  });
  if (!lowered)
    return Error{lowered.error()};
  Result<cuda::Module> loaded = cuda::Module::fromPTX(ptx);
  if (!loaded)
    return Error{loaded.error()};
  auto shared = std::make_shared<const cuda::Module>(std::move(*loaded));
  for (size_t i = 0; i < names.size(); ++i) {
    codes[i].module = shared;
    Result<cuda::Function> function = shared->function(names[i]);
    if (!function)
      return Error{function.error()};
    codes[i].function = *function;
    if (Result<void> fits = cuda::setDynamicSharedMemory(codes[i].function,
                                                         codes[i].sharedBytes);
        !fits)
      return Error{fits.error()};
    if (persistent[i])
      if (Result<void> made = makePersistent(codes[i]); !made)
        return Error{made.error()};
  }
  return codes;
}

void CUDAParameters::addWord(uint64_t word) {
  words.push_back(word);
  addresses.push_back(&words.back());
}

void CUDAParameters::add(const cuda::TensorMap &map) {
  maps.push_back(map);
  addresses.push_back(&maps.back());
}

void CUDAParameters::addFloat(float value) {
  uint64_t word = 0;
  std::memcpy(&word, &value, sizeof value);
  addWord(word);
}

void CUDAParameters::add(const void *data, const int64_t *sizes,
                         const int64_t *strides, size_t rank) {
  auto address = reinterpret_cast<uintptr_t>(data);
  addWord(address), addWord(address), addWord(0);
  for (size_t i = 0; i < rank; ++i)
    addInteger(sizes[i]);
  for (size_t i = 0; i < rank; ++i)
    addInteger(strides[i]);
}

void CUDAParameters::add(const TensorView &view) {
  int64_t strides[4] = {view.strides[0], view.strides[1], view.strides[2], 1};
  add(view.data, view.sizes.data(), strides, 4);
}

void CUDAParameters::add(const void *data, const std::vector<int64_t> &sizes) {
  add(data, sizes.data(), contiguousStrides(sizes).data(), sizes.size());
}

void CUDAParameters::addCapture(const CaptureInfo &info,
                                const CaptureView &view) {
  if (!info.isScalar)
    return add(view.data, view.sizes.data(), stridesOf(view).data(),
               view.sizes.size());
  uint64_t word = 0;
  std::memcpy(&word, view.data, byteWidth(info.type));
  addWord(word);
}
