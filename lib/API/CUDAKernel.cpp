// Kernels for NVIDIA GPUs: not there yet, which is what a caller is told.
#include "KernelImpl.h"

using namespace attn;

AttentionImpl attn::createCUDAKernel(const Mod &, const KernelSpec &) {
  return Error{"kernels for target cuda are not available in this build"};
}

SoftmaxImpl attn::createCUDASoftmax(const Mod &, ElementType, ElementType) {
  return Error{"softmax for target cuda is not available in this build"};
}
