// A device of the bench on the fake GPU, which must be empty afterwards.
#ifndef ATTN_TEST_UNIT_BENCH_CUDABENCH_H
#define ATTN_TEST_UNIT_BENCH_CUDABENCH_H

#include "devices/Device.h"

#include "../../Doubles/FakeCUDADriver.h"

#include <gtest/gtest.h>

#include <dlfcn.h>
#include <memory>

namespace attn::bench {

class CUDABenchTest : public ::testing::Test {
protected:
  CUDABenchTest() {
    fake.asyncStatus = 0;
    Result<std::unique_ptr<Device>> created = createCUDADevice();
    EXPECT_TRUE(created) << created.error();
    device = std::move(*created);
  }
  ~CUDABenchTest() override {
    device.reset();
    EXPECT_EQ(fake.usedBytes, 0u);
    EXPECT_EQ(fake.liveEvents, 0);
  }
  cuda::FakeCUDA &fake = *useFakeCUDA();
  std::unique_ptr<Device> device;
};

/// The clock that cuBLAS's double adds to; null if it is not loaded.
inline double **clockOfCublas() {
  void *cublas = dlopen("libcublas.so.13", RTLD_NOW | RTLD_NOLOAD);
  return cublas ? static_cast<double **>(dlsym(cublas, "fakeCublasClock"))
                : nullptr;
}

} // namespace attn::bench

#endif // ATTN_TEST_UNIT_BENCH_CUDABENCH_H
