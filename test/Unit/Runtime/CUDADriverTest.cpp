// The driver table and the steps on top of it, against a fake driver; and what
// a user reads on a machine that has no driver or no GPU.
#include "attn/Runtime/CUDADriver.h"
#include "attn/Runtime/LoadedKernel.h"

#include "../../PTXMachine/TensorMap.h"
#include "../Doubles/FakeCUDADriver.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <set>
#include <thread>

using namespace attn;
using namespace attn::cuda;

namespace {

class CUDADriverTest : public ::testing::Test {
protected:
  CUDADriverTest() {
    fake.asyncStatus = 0;
    EXPECT_TRUE(useDevice(0));
  }
  FakeCUDA &fake = *useFakeCUDA();
};

/// Ends the process with driver()'s message: the driver is looked for once per
/// process, so that every way of missing it needs a process of its own.
[[noreturn]] void reportDriver() {
  Result<const Driver *> table = driver();
  Result<const Driver *> again = driver();
  if (bool(table) != bool(again) || (!table && table.error() != again.error()))
    std::exit(3);
  std::fputs(table ? "loaded" : table.error().c_str(), stderr);
  std::exit(table ? 0 : 1);
}

TEST(CUDADriverDeathTest, NoDriver) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        if (dlopen("libcuda.so.1", RTLD_NOW)) {
          std::fputs("no CUDA driver: libcuda.so.1: this machine has one",
                     stderr);
          std::exit(1);
        }
        reportDriver();
      },
      ::testing::ExitedWithCode(1),
      "no CUDA driver: libcuda.so.1: (cannot open shared object file|this)");
}

TEST(CUDADriverDeathTest, NoDevice) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        useFakeCUDA();
        setenv("FAKE_CUDA_DEVICES", "0", 1);
        reportDriver();
      },
      ::testing::ExitedWithCode(1),
      "no usable GPU: cuInit: no CUDA-capable device is detected "
      "\\(CUDA_ERROR_NO_DEVICE\\)");
}

TEST_F(CUDADriverTest, ErrorsNameTheCallAndTheReason) {
  Result<const Driver *> table = driver();
  ASSERT_TRUE(table) << table.error();
  EXPECT_TRUE((*table)->check(kSuccess, "cuAnything"));
  EXPECT_EQ((*table)->check(700, "cuStreamSynchronize").error(),
            "cuStreamSynchronize: an illegal memory access was encountered "
            "(CUDA_ERROR_ILLEGAL_ADDRESS)");
  EXPECT_EQ((*table)->check(12345, "cuInit").error(),
            "cuInit: unknown error (error 12345)");
}

TEST_F(CUDADriverTest, NoDeviceIsGuessed) {
  std::thread([] {
    Result<Device> none = currentDevice();
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error(),
              "no CUDA context is current on this thread: expects "
              "KernelSpec::device, or a context that the caller makes current "
              "(attn::cuda::useDevice)");
    EXPECT_FALSE(Module::fromPTX(".entry kernel\n"));
    EXPECT_FALSE(Buffer::allocate(16));
    EXPECT_EQ(useDevice(7).error(), "there is no GPU 7");
    EXPECT_EQ(currentContext(), nullptr);
    ASSERT_TRUE(useDevice(0));
    EXPECT_NE(currentContext(), nullptr);
    Result<Device> first = currentDevice();
    ASSERT_TRUE(first) << first.error();
    EXPECT_EQ(*first, 0);
  }).join();
}

TEST_F(CUDADriverTest, ScopesGiveBackWhatWasCurrent) {
  std::thread([] {
    int a, b;
    auto one = reinterpret_cast<Context>(&a),
         two = reinterpret_cast<Context>(&b);
    {
      ContextScope outer(one);
      EXPECT_EQ(currentContext(), one);
      {
        ContextScope inner(two);
        EXPECT_EQ(currentContext(), two);
        ContextScope same(nullptr);
        EXPECT_EQ(currentContext(), two);
      }
      EXPECT_EQ(currentContext(), one);
    }
    EXPECT_EQ(currentContext(), nullptr);
  }).join();
}

TEST_F(CUDADriverTest, MemoryIsFreedFromAnyThread) {
  Result<Buffer> buffer = Buffer::allocate(1024);
  ASSERT_TRUE(buffer) << buffer.error();
  size_t used = fake.usedBytes;
  std::thread([&] { Buffer gone = std::move(*buffer); }).join();
  EXPECT_LT(fake.usedBytes, used);
}

TEST_F(CUDADriverTest, DeviceInfo) {
  Result<DeviceInfo> info = deviceInfo(0);
  ASSERT_TRUE(info) << info.error();
  EXPECT_EQ(info->name, "Fake GPU");
  EXPECT_EQ(info->computeMajor * 10 + info->computeMinor, 90);
  EXPECT_EQ(info->multiprocessors, 132);
  EXPECT_EQ(info->l2Bytes, 64 << 10);
  EXPECT_EQ(info->maxSharedBytes, 232448);
  EXPECT_EQ(info->driverVersion, 13000);
  EXPECT_EQ(info->memoryBytes, int64_t(fake.memoryBytes));
}

TEST_F(CUDADriverTest, TensorMapOfAStridedTensor) {
  alignas(16) int memory = 0;
  TensorMapShape shape;
  shape.type = kTensorMapF16;
  shape.address = &memory;
  // Channels, rows, heads, batch; nothing steps along the last.
  int64_t sizes[] = {64, 100, 4, 1}, strides[] = {256, 64, 3};
  std::copy(sizes, sizes + 4, shape.sizes.begin());
  std::copy(strides, strides + 3, shape.strides.begin());
  Result<TensorMap> map = encodeTensorMap(shape, 128);
  ASSERT_TRUE(map) << map.error();
  auto made = [&] {
    ptx::TensorMap result;
    std::memcpy(&result, map->opaque, sizeof(result));
    return result;
  };
  EXPECT_EQ(made().address, reinterpret_cast<uintptr_t>(&memory));
  EXPECT_EQ(made().elementBytes, 2);
  EXPECT_EQ(made().box[1], 128);
  EXPECT_EQ(made().sizes[1], 100u);
  EXPECT_EQ(made().strides[0], 512u);
  EXPECT_EQ(made().strides[1], 128u);
  EXPECT_EQ(made().strides[2], 16u);

  // A dimension of no elements counts as one: nothing of it is read.
  shape.sizes[1] = 0;
  map = encodeTensorMap(shape, 128);
  ASSERT_TRUE(map) << map.error();
  EXPECT_EQ(made().sizes[1], 1u);
}

/// Maps are remembered by what they are made of, and by nothing less.
TEST_F(CUDADriverTest, TensorMapsOfTheSameMemory) {
  alignas(16) int memory = 0;
  for (int turn = 0; turn < 2; ++turn)
    for (int64_t rows = 1; rows <= 300; ++rows)
      for (int64_t box : {64, 128}) {
        TensorMapShape shape;
        shape.address = &memory;
        shape.sizes = {64, rows, 4, 1};
        shape.strides = {64, 64 * rows, 0};
        shape.type = rows % 3 ? kTensorMapBF16 : kTensorMapF16;
        Result<TensorMap> map = encodeTensorMap(shape, box);
        ASSERT_TRUE(map) << map.error();
        ptx::TensorMap made;
        std::memcpy(&made, map->opaque, sizeof(made));
        EXPECT_EQ(made.sizes[1], static_cast<uint64_t>(rows));
        EXPECT_EQ(made.strides[1], static_cast<uint64_t>(128 * rows));
        EXPECT_EQ(made.box[1], box);
      }
}

TEST_F(CUDADriverTest, TensorMapErrors) {
  TensorMapShape shape;
  shape.sizes[1] = 2, shape.strides[0] = 12;
  EXPECT_EQ(encodeTensorMap(shape, 64).error(),
            "expects strides of multiples of 16 bytes, got 24");
  shape.strides[0] = 16;
  EXPECT_EQ(encodeTensorMap(shape, 512).error().find("cuTensorMapEncodeTiled"),
            0u);
}

TEST_F(CUDADriverTest, ModuleRunsAKernel) {
  {
    Result<Module> loaded = Module::fromPTX(".entry kernel\n");
    ASSERT_TRUE(loaded) << loaded.error();
    Module module = std::move(*loaded);
    EXPECT_EQ(fake.loadedModules, 1);
    EXPECT_EQ(module.log(), "ptxas info : Used 40 registers");
    Result<Function> kernel = module.function("kernel");
    ASSERT_TRUE(kernel) << kernel.error();
    Result<FunctionInfo> info = functionInfo(*kernel);
    ASSERT_TRUE(info);
    EXPECT_EQ(info->registers, 40);
    EXPECT_EQ(info->localBytes, 0);
    EXPECT_EQ(info->staticSharedBytes, 1024);
    EXPECT_EQ(info->maxThreads, 256);

    int stored = 0;
    int *target = &stored;
    void *parameters[] = {&target};
    LaunchShape shape{{7, 1, 1}, {128, 1, 1}, 0};
    ASSERT_TRUE(launch(*kernel, shape, parameters, nullptr));
    EXPECT_EQ(stored, 7);
    // More shared memory than a block gets unasked: only after asking for it.
    shape.sharedBytes = 100 << 10;
    EXPECT_FALSE(launch(*kernel, shape, parameters, nullptr));
    ASSERT_TRUE(setDynamicSharedMemory(*kernel, 100 << 10));
    EXPECT_TRUE(launch(*kernel, shape, parameters, nullptr));
  }
  EXPECT_EQ(fake.loadedModules, 0);
}

TEST_F(CUDADriverTest, ModuleIsUnloadedFromAnyThread) {
  Result<Module> loaded = Module::fromPTX(".entry kernel\n");
  ASSERT_TRUE(loaded);
  std::thread([&] { Module gone = std::move(*loaded); }).join();
  EXPECT_EQ(fake.loadedModules, 0);
}

TEST_F(CUDADriverTest, AnAssemblerMayRefuseAModule) {
  setenv("ATTN_PTX_ASSEMBLER", "false", 1);
  Result<Module> refused = Module::fromPTX(".target sm_90\n.entry kernel\n");
  setenv("ATTN_PTX_ASSEMBLER", "true", 1);
  Result<Module> taken = Module::fromPTX(".target sm_90\n.entry kernel\n");
  unsetenv("ATTN_PTX_ASSEMBLER");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().find("ptxas failed"), std::string::npos)
      << refused.error();
  EXPECT_TRUE(taken) << taken.error();
}

TEST_F(CUDADriverTest, BadModulesAndLaunches) {
  Result<Module> bad = Module::fromPTX("syntax-error");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error(),
            "the CUDA driver rejects the generated PTX: cuModuleLoadDataEx: a "
            "PTX JIT compilation failed (CUDA_ERROR_INVALID_PTX)\nptxas "
            "application ptx input, line 1; fatal: unexpected instruction");

  Result<Module> module = Module::fromPTX(".entry kernel\n");
  ASSERT_TRUE(module);
  Result<Function> missing = module->function("other");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error(),
            "no kernel 'other' in the module: cuModuleGetFunction: named "
            "symbol not found (CUDA_ERROR_NOT_FOUND)");

  Result<Function> kernel = module->function("kernel");
  ASSERT_TRUE(kernel);
  Result<void> tooWide =
      launch(*kernel, {{1, 2, 3}, {1024, 1, 1}, 64}, nullptr, nullptr);
  ASSERT_FALSE(tooWide);
  EXPECT_EQ(tooWide.error(),
            "cuLaunchKernel: invalid argument (CUDA_ERROR_INVALID_VALUE): grid "
            "1x2x3, block 1024x1x1, 64 bytes of dynamic shared memory");
  Result<void> tooMuch = setDynamicSharedMemory(*kernel, 1 << 20);
  ASSERT_FALSE(tooMuch);
  EXPECT_EQ(tooMuch.error(), "the kernel needs 1049600 bytes of shared memory "
                             "per block, this GPU has 232448");
}

TEST_F(CUDADriverTest, BuffersFreeThemselves) {
  size_t before = fake.usedBytes;
  {
    Result<Buffer> buffer = Buffer::allocate(1000);
    ASSERT_TRUE(buffer) << buffer.error();
    EXPECT_EQ(buffer->address() % 256, 0u);
    EXPECT_EQ(fake.usedBytes, before + 1000);
    Buffer moved = std::move(*buffer);
    EXPECT_EQ(buffer->address(), 0u);
    EXPECT_NE(moved.address(), 0u);
    moved = Buffer();
  }
  EXPECT_EQ(fake.usedBytes, before);

  Result<Buffer> none = Buffer::allocate(0);
  ASSERT_TRUE(none);
  EXPECT_EQ(none->address(), 0u);

  Result<Buffer> huge = Buffer::allocate(int64_t(1) << 40);
  ASSERT_FALSE(huge);
  EXPECT_EQ(huge.error(), "out of GPU memory: needs 1099511627776 bytes, " +
                              std::to_string(fake.memoryBytes - before) +
                              " are free");
}

} // namespace

/// A launch in a graph may run beside any that comes after it.
TEST_F(CUDADriverTest, CountersOfGraphsAreTheirOwn) {
  Result<std::shared_ptr<TaskCounters>> counters = TaskCounters::create();
  ASSERT_TRUE(counters) << counters.error();
  std::set<uint64_t> plain, captured;
  for (unsigned i = 0; i < 2 * TaskCounters::count; ++i) {
    plain.insert((*counters)->next(/*isCaptured=*/false));
    captured.insert((*counters)->next(/*isCaptured=*/true));
  }
  EXPECT_EQ(plain.size(), TaskCounters::count);
  EXPECT_EQ(captured.size(), 2 * TaskCounters::count);
  for (uint64_t address : plain)
    EXPECT_EQ(captured.count(address), 0u);
  for (const std::set<uint64_t> *all : {&plain, &captured})
    for (uint64_t address : *all)
      ASSERT_EQ(*reinterpret_cast<const uint32_t *>(address), 0u);
}
