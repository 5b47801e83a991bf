// Starts the attention cases for a GPU of host memory: test/PTXMachine runs the
// very PTX that a GPU would get. With --portable, the kernels that every GPU
// can run.
#include "../Doubles/FakeCUDADriver.h"
#include "Harness.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

using namespace attn;
using namespace attn::test;

int main(int argc, char **argv) {
  testing::InitGoogleTest(&argc, argv);
  cuda::FakeCUDA *gpu = useFakeCUDA();
  gpu->runsKernels = true;
  gpu->memoryBytes = size_t(4) << 30;
  gpu->multiprocessors = 3; // so that persistent blocks have many tasks
  selectTarget(Target::CUDA);
  selectInterpreted();
  if (ATTN_TEST_PORTABLE || std::any_of(argv, argv + argc, [](const char *a) {
        return std::strcmp(a, "--portable") == 0;
      }))
    selectPortable();
  return RUN_ALL_TESTS();
}
