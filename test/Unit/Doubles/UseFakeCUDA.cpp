// Makes the fake driver and the fake cuBLAS the ones that dlopen finds.
#include "FakeCUDADriver.h"

#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>

attn::cuda::FakeCUDA *useFakeCUDA() {
  static attn::cuda::FakeCUDA *state = [] {
    void *driver = dlopen(ATTN_FAKE_CUDA, RTLD_NOW);
    if (!driver || !dlopen(ATTN_FAKE_CUBLAS, RTLD_NOW)) {
      std::fprintf(stderr, "%s\n", dlerror());
      std::abort();
    }
    auto get = reinterpret_cast<attn::cuda::FakeCUDA *(*)()>(
        dlsym(driver, "fakeCUDA"));
    return get();
  }();
  return state;
}
