// Memory that launches on one stream share, and no others.
#include "../../../lib/Launch/StreamMemory.h"
#include "../Doubles/FakeCUDADriver.h"

#include <gtest/gtest.h>

#include <thread>

using namespace attn;
using attn::cuda::StreamMemory;

namespace {

struct StreamMemoryTest : testing::Test {
  StreamMemoryTest() {
    useFakeCUDA();
    EXPECT_TRUE(cuda::useDevice(0));
  }
  void *of(void *stream) {
    Result<void *> data = memory.of(stream, 64);
    EXPECT_TRUE(data) << data.error();
    return data ? *data : nullptr;
  }
  StreamMemory memory;
};

TEST_F(StreamMemoryTest, OfEachStream) {
  int first, second;
  void *own = of(&first);
  EXPECT_EQ(of(&first), own);
  EXPECT_NE(of(&second), own);
  EXPECT_NE(of(nullptr), own);
}

/// Threads that use the handle at once are on streams that overlap.
TEST_F(StreamMemoryTest, OfEachThreadWhereTheHandleIs) {
  int stream;
  void *own = of(cuda::kStreamPerThread), *shared = of(&stream);
  EXPECT_EQ(of(cuda::kStreamPerThread), own);
  std::thread([&] {
    EXPECT_TRUE(cuda::useDevice(0));
    EXPECT_NE(of(cuda::kStreamPerThread), own);
    EXPECT_EQ(of(&stream), shared);
  }).join();
}

} // namespace
