// Preloaded into a program (LD_PRELOAD), gives it a GPU: the fake driver, whose
// launches run the kernels, and the fake cuBLAS. So attn-bench is tested from
// its command line to its report where there is no GPU.
#include "FakeCUDADriver.h"

__attribute__((constructor)) static void haveGPU() {
  useFakeCUDA()->runsKernels = true;
}
