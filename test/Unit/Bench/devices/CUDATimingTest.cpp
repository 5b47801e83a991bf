// What is timed on a GPU, without one: turns, the cache, rests, ceilings.
#include "CUDABench.h"

#include "devices/Tensors.h"
#include "run/Ceilings.h"

#include <dlfcn.h>
#include <fstream>

using namespace attn;
using namespace attn::bench;
using attn::cuda::FakeCUDA;

namespace {

TEST_F(CUDABenchTest, Description) {
  std::string text = device->description();
  EXPECT_EQ(text.find("Fake GPU, sm_90, 132 multiprocessors, 0.1 GiB, 0 MiB "
                      "L2, driver "),
            0u)
      << text;
  EXPECT_NE(text.find("CUDA 13.0"), std::string::npos);
}

TEST_F(CUDABenchTest, SharesAPlaceInAnAllocation) {
  device->allocateShareable();
  Result<void *> first = device->allocate(100), second = device->allocate(5000);
  ASSERT_TRUE(first && second);
  auto *place = static_cast<char *>(*second) + 4096;
  Result<SharedMemory> shared = device->share(place);
  ASSERT_TRUE(shared) << shared.error();
  EXPECT_EQ(shared->kind, "cuda_ipc");
  EXPECT_EQ(shared->bytes, 2 << 20); // a page of its own
  EXPECT_EQ(shared->offset, 4096);
  // The fake handle holds the address, lowest byte first.
  uint64_t address = 0;
  for (int byte = 7; byte >= 0; --byte)
    address = address << 8 |
              std::stoul(shared->handle.substr(2 * byte, 2), nullptr, 16);
  EXPECT_EQ(address, reinterpret_cast<uint64_t>(*second));
  EXPECT_EQ(shared->handle.size(), 128u);
  int local = 0;
  EXPECT_FALSE(device->share(&local));
  device->release(*first);
  device->release(*second);
}

/// A run of `milliseconds` on the GPU.
void work(FakeCUDA &fake, double milliseconds) {
  fake.clockMilliseconds += milliseconds;
  fake.calls += 'W';
}

/// Five samples and two launches of runs of 1, 2, 3, ... ms.
Result<Turn> timeFive(Device &device, FakeCUDA &fake, bool hot) {
  TurnOptions options;
  options.hot = hot;
  options.warmupSeconds = 0;
  options.seconds = 10;
  options.samples = 5;
  options.launches = 2;
  (void)device.time([]() -> Result<void> { return {}; }, options);
  fake.calls.clear();
  auto next = std::make_shared<double>(1);
  return device.time(
      [&fake, next]() -> Result<void> {
        work(fake, (*next)++);
        return {};
      },
      options);
}

std::string repeated(const std::string &text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i)
    all += text;
  return all;
}

TEST_F(CUDABenchTest, TimesTheWorkAloneWithAColdCache) {
  fake.fillMilliseconds = 1;
  Result<Turn> turn = timeFive(*device, fake, /*hot=*/false);
  fake.fillMilliseconds = 1000;
  ASSERT_TRUE(turn) << turn.error();
  ASSERT_EQ(turn->samples.size(), 5u);
  for (int i = 0; i < 5; ++i) // a call and a batch of five warmed up
    EXPECT_NEAR(turn->samples[i], 1e-3 * (7 + i), 1e-9);
  // Each batch: wait, event, samples, event. Each sample: overwrite, read,
  // event, work, event; each launch: overwrite, read, work.
  std::string five = "KE" + repeated("FKEWE", 5) + "E";
  EXPECT_EQ(fake.calls, "KEFKEWEE" + five + five + "FKWFKW");
  ASSERT_EQ(turn->withLaunch.size(), 2u);
  ASSERT_EQ(turn->host.size(), 2u);
  for (int i = 0; i < 2; ++i) {
    EXPECT_GT(turn->host[i], 0);
    EXPECT_LE(turn->host[i], turn->withLaunch[i]);
  }
  EXPECT_EQ(fake.lastFillBytes, size_t(128) << 10);
  TurnMeans means = device->turnMeans();
  EXPECT_EQ(means.flushBytes, 128 << 10);
  EXPECT_EQ(means.readBlocks, 32); // a piece of 16 bytes for each thread
  ASSERT_EQ(turn->batches.size(), 1u);
  EXPECT_EQ(turn->batches[0].samples, 5);
  EXPECT_NEAR(turn->batches[0].busy, 1e-3 * (5 * 1.5 + 7 + 8 + 9 + 10 + 11),
              1e-6);
}

TEST_F(CUDABenchTest, AHotCacheIsNotFlushed) {
  Result<Turn> turn = timeFive(*device, fake, /*hot=*/true);
  ASSERT_TRUE(turn) << turn.error();
  std::string five = "KE" + repeated("EWE", 5) + "E";
  EXPECT_EQ(fake.calls, "KEEWEE" + five + five + "WW");
  EXPECT_NEAR(turn->samples[0], 7e-3, 1e-9);
}

/// What a turn of one kernel of half a millisecond takes.
struct OneKernel {
  cuda::Module module = std::move(*cuda::Module::fromPTX(".entry work(\n"));
  cuda::Function function = *module.function("work");

  Result<Turn> time(Device &device, const TurnOptions &options) {
    auto run = [&] {
      return cuda::launch(function, {}, nullptr,
                          static_cast<cuda::Stream>(device.stream()));
    };
    return device.time(run, options);
  }
};

TEST_F(CUDABenchTest, ATurnIsTheOneThatTheWorkerTakes) {
  OneKernel kernel;
  TurnOptions options;
  options.warmupSeconds = 0.005;
  options.seconds = 10;
  options.samples = 4;
  options.launches = 2;
  options.duty = 0.9;
  options.batchSeconds = 0.007;
  fake.fillMilliseconds = 1;
  ASSERT_TRUE(kernel.time(*device, options)); // has its buffers from now on
  fake.sequence.clear();
  Result<Turn> turn = kernel.time(*device, options);
  fake.fillMilliseconds = 1000;
  ASSERT_TRUE(turn) << turn.error();
  std::ifstream file(ATTN_TURN_ON_A_GPU);
  std::string line, wanted;
  while (std::getline(file, line))
    wanted += line[0] == '#' ? "" : line + "\n";
  EXPECT_EQ(fake.sequence, wanted);
}

TEST_F(CUDABenchTest, TheGPURestsForItsShare) {
  OneKernel kernel;
  for (double duty : {0.98, 0.9, 0.5}) {
    TurnOptions options;
    options.duty = duty;
    Result<Turn> turn = kernel.time(*device, options);
    ASSERT_TRUE(turn) << turn.error();
    ASSERT_FALSE(turn->batches.empty());
    for (const Batch &batch : turn->batches)
      EXPECT_NEAR(batch.busy / (batch.busy + batch.rest), duty, 0.005);
  }
}

TEST_F(CUDABenchTest, ThePaceIsFoundWithoutRests) {
  OneKernel kernel;
  TurnOptions options;
  options.onlyPace = true;
  options.duty = 0.5;
  fake.fillMilliseconds = 1;
  Result<Turn> turn = kernel.time(*device, options);
  fake.fillMilliseconds = 1000;
  ASSERT_TRUE(turn) << turn.error();
  ASSERT_TRUE(turn->pace);
  EXPECT_NEAR(turn->pace->gpu, 2e-3, 1e-6);
  EXPECT_GT(turn->pace->host, 0);
  EXPECT_LT(turn->pace->host, 0.1);
  EXPECT_TRUE(turn->samples.empty());
}

TEST_F(CUDABenchTest, CopiesCountTwice) {
  std::vector<char> from(1000, 'x'), to(1000);
  Result<Buffer> a = Buffer::create(*device, 1000),
                 b = Buffer::create(*device, 1000);
  ASSERT_TRUE(a && b);
  ASSERT_TRUE(device->copyIn(a->data(), from.data(), 1000));
  ASSERT_TRUE(device->copy(b->data(), a->data(), 1000));
  ASSERT_TRUE(device->copyOut(to.data(), b->data(), 1000));
  EXPECT_EQ(to, from);

  fake.calls.clear();
  Ceilings ceilings =
      measureCeilings(*device, {ElementType::BF16}, {16, int64_t(1) << 20});
  // Read and written, in the fake copy's 0.5 ms, with nothing flushed between.
  EXPECT_NEAR(ceilings.copy, 2 * 0x1p20 / 0.5e-3, 1);
  EXPECT_NE(fake.calls.find("ECE"), std::string::npos);
  EXPECT_EQ(fake.calls.find("CEF"), std::string::npos);
}

TEST_F(CUDABenchTest, AStreamReadsInWholeWavesOfBlocks) {
  Result<Buffer> from = Buffer::create(*device, 1 << 20);
  ASSERT_TRUE(from);
  fake.sequence.clear();
  ASSERT_TRUE(device->read(from->data(), 1 << 20));
  EXPECT_EQ(fake.sequence, "launch attn_bench_stream 1584 x 256\n");
  Ceilings ceilings =
      measureCeilings(*device, {ElementType::BF16}, {16, int64_t(1) << 20});
  EXPECT_NEAR(ceilings.read, 0x1p20 / 0.5e-3, 1);
}

TEST_F(CUDABenchTest, AnEmptyLaunchIsTimedAsABackendIs) {
  ASSERT_TRUE(device->launchNothing());
  fake.calls.clear();
  Ceilings ceilings =
      measureCeilings(*device, {ElementType::BF16}, {16, int64_t(1) << 20});
  EXPECT_NEAR(ceilings.emptyLaunch, 0.5e-3, 1e-9);
  // After the flush: overwrite, read, event, kernel, event.
  EXPECT_NE(fake.calls.find("FKEKE"), std::string::npos);
}

TEST_F(CUDABenchTest, MatrixProductsAreACeilingOfEachType) {
  double **clock = clockOfCublas();
  ASSERT_TRUE(clock) << dlerror();
  *clock = &fake.clockMilliseconds;
  Ceilings ceilings = measureCeilings(
      *device, {ElementType::BF16, ElementType::F32}, {16, int64_t(1) << 20});
  *clock = nullptr;
  ASSERT_EQ(ceilings.gemm.size(), 2u);
  for (const auto &[type, flops] : ceilings.gemm) // 16^3 products in 0.25 ms
    EXPECT_NEAR(flops, 2 * 4096 / 0.25e-3, 1) << type;
}

TEST_F(CUDABenchTest, CeilingsThatDoNotFitAreLeftOut) {
  Ceilings ceilings =
      measureCeilings(*device, {ElementType::F32}, {16, int64_t(1) << 40});
  EXPECT_EQ(ceilings.copy, 0);
  EXPECT_EQ(ceilings.read, 0);
}

TEST_F(CUDABenchTest, TimingReportsFailures) {
  Result<Turn> refused = device->time(
      [&]() -> Result<void> { return Error{"cuLaunchKernel: no"}; }, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), "cuLaunchKernel: no");

  Result<Turn> crashed = device->time(
      [&]() -> Result<void> {
        fake.asyncStatus = 700;
        return {};
      },
      {});
  ASSERT_FALSE(crashed);
  EXPECT_EQ(crashed.error(),
            "cuStreamSynchronize: an illegal memory access was encountered "
            "(CUDA_ERROR_ILLEGAL_ADDRESS)");
  EXPECT_FALSE(device->synchronize());
  fake.asyncStatus = 0;
}

} // namespace
