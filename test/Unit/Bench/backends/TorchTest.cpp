// What the PyTorch worker is told about a turn, and what is made of its answer,
// on a device that is paced as a GPU is; the worker is test/Inputs's fake one.
#include "backends/Backend.h"
#include "backends/TorchWorker.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

using namespace attn;
using namespace attn::bench;

namespace {
/// The processor, as if it had a clock of its own and a cache to flush.
class PacedDevice final : public Device {
public:
  Target target() const override { return cpu->target(); }
  std::string description() const override { return cpu->description(); }
  int64_t freeBytes() const override { return cpu->freeBytes(); }
  Result<void *> allocate(int64_t bytes) override {
    return cpu->allocate(bytes);
  }
  void release(void *memory) override { cpu->release(memory); }
  void allocateShareable() override { cpu->allocateShareable(); }
  Result<SharedMemory> share(const void *memory) const override {
    return cpu->share(memory);
  }
  Result<void> copyIn(void *to, const void *from, int64_t bytes) override {
    return cpu->copyIn(to, from, bytes);
  }
  Result<void> copyOut(void *to, const void *from, int64_t bytes) override {
    return cpu->copyOut(to, from, bytes);
  }
  Result<void> copy(void *to, const void *from, int64_t bytes) override {
    return cpu->copy(to, from, bytes);
  }
  Result<void> read(const void *from, int64_t bytes) override {
    return cpu->read(from, bytes);
  }
  Result<void> fill(void *memory, unsigned char byte, int64_t bytes) override {
    return cpu->fill(memory, byte, bytes);
  }
  Result<Turn> time(const std::function<Result<void>()> &work,
                    const TurnOptions &options) override {
    return cpu->time(work, options);
  }
  bool isPaced() const override { return true; }
  TurnMeans turnMeans() const override { return {4096, 3, "the kernels"}; }
  Result<void> synchronize() override { return {}; }

private:
  std::unique_ptr<Device> cpu = createCPUDevice();
};

class TorchTest : public ::testing::Test {
protected:
  /// `faults`: as in FAKE_WORKER.
  void start(const char *faults) {
    log = ::testing::TempDir() + "torch-test.log";
    std::remove(log.c_str());
    setenv("FAKE_WORKER", faults, 1);
    setenv("FAKE_WORKER_LOG", log.c_str(), 1);
    device.allocateShareable();
    data = *device.allocate(4 * 4 * sizeof(float));
    problem.pattern = "noop";
    problem.mod = &mod;
    problem.sizes = {};
    problem.query = {data, ElementType::F32, {1, 1, 4, 4}, {16, 16, 4}};
    problem.key = problem.value = problem.query;
    worker = std::make_shared<TorchWorker>(ATTN_FAKE_WORKER, "", 30);
    backend = createTorch("sdpa", device, {}, worker);
    std::optional<Refusal> refusal = backend->prepare(problem);
    EXPECT_FALSE(refusal) << refusal->reason;
  }
  ~TorchTest() override {
    backend.reset();
    device.release(data);
    unsetenv("FAKE_WORKER");
    unsetenv("FAKE_WORKER_LOG");
  }
  Result<Turn> time(const TurnOptions &options) {
    return backend->time(device, Pass::Forward, options);
  }
  /// The last line of the worker's log.
  std::string lastRequest() const {
    std::ifstream file(log);
    std::string line, last;
    while (std::getline(file, line))
      last = line;
    return last;
  }

  PacedDevice device;
  void *data = nullptr;
  Mod mod = *Mod::fromSource("attn.mod @noop score(%s: f32, %b: i32, %h: i32, "
                             "%q: i32, %kv: i32) { attn.yield %s : f32 }",
                             "noop.mlir");
  Problem problem;
  std::shared_ptr<TorchWorker> worker;
  std::unique_ptr<Backend> backend;
  std::string log;
};

TEST_F(TorchTest, TheWorkerIsToldAllThatDecidesATurn) {
  start("");
  TurnOptions options;
  options.duty = 0.75;
  options.warmupSeconds = 0.125;
  options.samples = 3;
  options.batchSeconds = 0.25;
  Result<Turn> turn = time(options);
  ASSERT_TRUE(turn) << turn.error();
  EXPECT_EQ(lastRequest(), "time sdpa batch_seconds=0.25 duty=0.75 "
                           "flush_bytes=4096 hot=False kernels='the kernels' "
                           "launches=4 only_pace=False read_blocks=3 "
                           "read_threads=256 samples=3 seconds=0.1 "
                           "warmup_seconds=0.125");
  EXPECT_EQ(turn->samples.size(), 3u);
  ASSERT_EQ(turn->batches.size(), 1u);
  EXPECT_EQ(turn->batches[0].samples, 3);
  EXPECT_EQ(turn->batches[0].rest, 0.25);
  EXPECT_EQ(turn->batches[0].busy, 0.75);
}

TEST_F(TorchTest, AndIsAskedForItsPace) {
  start("");
  TurnOptions options;
  options.onlyPace = true;
  Result<Turn> turn = time(options);
  ASSERT_TRUE(turn) << turn.error();
  ASSERT_TRUE(turn->pace);
  EXPECT_EQ(turn->pace->gpu, 1e-3);
  EXPECT_EQ(turn->pace->host, 1e-4);
  EXPECT_EQ(turn->pace->between, 2e-4);
  EXPECT_NE(lastRequest().find("only_pace=True"), std::string::npos);
}

TEST_F(TorchTest, OneThatDoesNotSayHowItTimedIsFoundOut) {
  start("sdpa=no-batches");
  Result<Turn> turn = time({});
  ASSERT_FALSE(turn);
  EXPECT_EQ(turn.error(), "the PyTorch worker sent no times");
  TurnOptions options;
  options.onlyPace = true;
  turn = time(options);
  ASSERT_FALSE(turn);
  EXPECT_EQ(turn.error(), "the PyTorch worker sent no pace");
}
} // namespace
